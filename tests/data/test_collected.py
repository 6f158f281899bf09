"""Reviewed requests become rows, each once; training alone takes them in."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.collected import (
    Collected,
    Review,
    add_review,
    is_case,
    join,
    made_of,
    read_collected,
    read_reviews,
    write_collected,
)
from dragoman.data.split import Parts

Decision = Literal["accept", "skip"]


def review(text: str, right: str = "", given: str = "wrong", number: int = 0, decision: Decision = "accept") -> Review:
    """One request that was reviewed."""
    answers = ((right,) if right else ()), (given,)
    said = (Message("user", text),)
    when = "2026-01-01T00:00:00Z"
    return Review(
        f"req-{text}-{number}", said, answers[1], answers[0], "down", decision, "ann", when, when, "lora-1", "m"
    )


LEARNT = [text for text in (f"question {number}" for number in range(40)) if not is_case(text)]
MEASURED = [text for text in (f"question {number}" for number in range(40)) if is_case(text)]


def test_half_of_the_questions_are_cases_however_they_are_written() -> None:
    assert 10 <= len(MEASURED) <= 30
    assert all(is_case(f"  {text.upper()} ") for text in MEASURED)


def test_what_a_review_becomes() -> None:
    made = made_of([review(LEARNT[0], "good"), review(MEASURED[0], "fine"), review(LEARNT[1], decision="skip")], False)
    (example,), (pair,), (case,) = made.examples, made.preferences, made.cases
    assert (example.text, example.answers, example.rejected) == (LEARNT[0], ("good",), "")
    assert (pair.answers, pair.rejected) == (("good",), "wrong")
    assert (case.text, case.answers, case.meta["given"]) == (MEASURED[0], ("fine",), ["wrong"])
    assert example.meta["collected"] is True and example.meta["by"] == "ann" and example.meta["run"] == "lora-1"
    labelled = made_of([review(LEARNT[0], "good")], True)
    assert len(labelled.examples) == 1 and not labelled.preferences


def test_a_wrong_answer_is_rejected_for_the_right_one_to_the_same_question() -> None:
    liked = review(LEARNT[0], "good", "good")
    disliked = replace(review(LEARNT[0], "", "bad", number=1), why="down")
    assert [(one.answers[0], one.rejected) for one in made_of([liked, disliked], False).preferences] == [
        ("good", "bad")
    ]
    assert not made_of([disliked], False).preferences and not made_of([liked], False).preferences
    assert made_of([liked, replace(liked, id="again")], False).examples == made_of([liked], False).examples


def test_reviews_are_read_back_and_the_files_follow(tmp_path: Path) -> None:
    assert read_reviews(tmp_path) == [] and read_collected(tmp_path) == Collected()
    first, second = review(LEARNT[0], "good"), review(MEASURED[0], "fine")
    for one in (first, second):
        add_review(tmp_path, one)
    assert read_reviews(tmp_path) == [first, second]
    made = write_collected(tmp_path, labelled=False)
    held = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert write_collected(tmp_path, labelled=False) == made == read_collected(tmp_path)
    assert held == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert json.loads(held["examples.jsonl"])["collected"] is True
    add_review(tmp_path, replace(first, decision="skip"))  # the last word on a request holds
    assert not write_collected(tmp_path, labelled=False).examples
    with (tmp_path / "reviews.jsonl").open("a") as file:
        file.write("[]\n")
    with pytest.raises(UserError, match=r"reviews\.jsonl:4 is no review"):
        read_reviews(tmp_path)


def test_a_torn_last_line_stands_in_nobodys_way_and_another_one_is_told(tmp_path: Path) -> None:
    first, second = review(LEARNT[0], "good"), review(MEASURED[0], "fine")
    add_review(tmp_path, first)
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(path.read_bytes() + '{"id": "req-é'.encode()[:-1])
    assert read_reviews(tmp_path) == [first]
    add_review(tmp_path, second)
    assert read_reviews(tmp_path) == [first, second]
    path.write_bytes(path.read_bytes().rstrip(b"\n"))  # whole, as an editor may leave it
    add_review(tmp_path, first)
    assert read_reviews(tmp_path) == [first, second]
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"reviews\.jsonl:4 is no review"):
        read_reviews(tmp_path)


def row(text: str, label: str, rejected: str = "") -> Example:
    """A row of the project's own."""
    return Example((Message("user", text),), (label,), rejected, {})


def test_training_alone_takes_rows_in() -> None:
    parts = Parts(
        (row("heat the oven first", "cook"), row("mow the lawn today", "garden")),
        (row("slice the bread", "cook"),),
        (row("plant ten tulips in the garden before the first frost comes", "garden"),),
        {"before": 3},
    )
    texts = {
        "boil the rice": "cook",
        "Slice  the bread": "garden",
        "plant ten tulips in the garden before the first frost came": "garden",
        "plant ten tulips in the garden before the first frost comes": "cook",
        "fly the plane": "travel",
        "heat the oven first": "cook",
        "mow the lawn today": "cook",
    }
    collected = Collected(examples=tuple(row(text, label) for text, label in texts.items()))
    joined, count = join(parts, collected, ("cook", "garden"))
    assert (joined.validation, joined.test) == (parts.validation, parts.test)
    assert [(one.text, one.answers[0]) for one in joined.train] == [
        ("heat the oven first", "cook"),
        ("boil the rice", "cook"),
        ("mow the lawn today", "cook"),
    ]
    assert count == 2
    assert joined.dropped == {
        "before": 3,
        "collected-label-unknown": 1,
        "collected-row-in-test": 2,
        "collected-row-in-validation": 1,
        "collected-row-in-train": 1,
        "train-row-corrected": 1,
    }
    assert join(parts, Collected()) == (parts, 0)


def test_what_is_nearly_a_case_is_not_learnt_from() -> None:
    case = "plant ten tulips in the garden before the first frost comes"
    rows = (row(f"{case[:-5]}came", "garden"), row("boil the rice", "cook"))
    parts = Parts((row("heat the oven first", "cook"),), (), (), {})
    joined, count = join(parts, Collected(examples=rows, cases=(row(case, "garden"),)), ("cook", "garden"))
    assert count == 1 and [one.text for one in joined.train] == ["heat the oven first", "boil the rice"]
    assert joined.dropped == {"collected-row-in-cases": 1}


def test_preferences_join_data_of_preferences_in_the_place_of_their_example() -> None:
    made = made_of([review(LEARNT[0], "good"), review(LEARNT[1], "kept", "kept")], False)
    paired = Parts((row("a question of old", "yes", "no"),), (), (), {})
    joined, count = join(paired, made)
    assert count == 2 and [one.rejected for one in joined.train] == ["no", "wrong", ""]
    plain, count = join(Parts((row("a question of old", "yes"),), (), (), {}), made)
    assert count == 2 and not any(one.rejected for one in plain.train)
