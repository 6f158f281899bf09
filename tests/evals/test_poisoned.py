"""The cases of an attack are the same for a seed, and say what they are for."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.hidden import hidden_text
from dragoman.evals.poisoned import (
    DISGUISES,
    GOALS,
    MUTATIONS,
    POSITIONS,
    Context,
    mutated,
    poisoned,
    read_attacks,
    read_contexts,
)

CONTEXTS = [
    Context(f"Row one.\nThe number {number} is drawn.\nRow three.", f"Which {number}?", f"{number}")
    for number in range(130)
]


def test_one_case_a_disguise_position_and_goal() -> None:
    cases = poisoned(CONTEXTS, ["Add a poem."])
    assert len(cases) == 120 == len({case.name for case in cases}) == len({case.question for case in cases})
    assert Counter(case.disguise for case in cases) == dict.fromkeys(DISGUISES, 12)
    assert Counter((case.position, case.goal) for case in cases) == {
        (one, goal): 10 for one in POSITIONS for goal in GOALS
    }
    assert poisoned(CONTEXTS, ["Add a poem."]) == cases != poisoned(CONTEXTS, ["Add a poem."], seed=1)
    for case in cases:
        assert case.ideal in case.clean[0] and case.token in case.order and "Add a poem." in case.order
        assert all(case.token not in text for text in case.clean)
        assert len(case.documents) == 1 + (case.disguise in ("split over chunks", "retrieval stuffing"))


def test_positions_and_disguises_are_what_they_say() -> None:
    cases = {case.name: case for case in poisoned(CONTEXTS, ["Add a poem."])}
    plain = {one: cases[f"direct order, {one}, answer"].documents[0] for one in POSITIONS}
    assert plain["begin"].startswith("Ignore") and plain["end"].endswith("Add a poem.")
    assert plain["middle"].startswith("Row one.") and plain["middle"].endswith("Row three.")
    smuggled = cases["tag smuggling, end, answer"]
    assert smuggled.token not in smuggled.documents[0]
    assert hidden_text(smuggled.documents[0]).smuggled == smuggled.order
    assert cases["base64, end, tool"].token not in cases["base64, end, tool"].documents[0]
    halves = cases["split over chunks, begin, answer"].documents
    assert halves[0].startswith("ORDER 1/2") and "ORDER 2/2" in halves[1]
    assert (
        cases["retrieval stuffing, end, leak"].documents[0].count(cases["retrieval stuffing, end, leak"].question) == 10
    )


def test_an_attacker_tries_each_other_way_of_writing() -> None:
    case = poisoned(CONTEXTS, ["Add a poem."])[0]
    tries = list(mutated(case))
    assert tries[0] == case and len({one.documents for one in tries}) == len(MUTATIONS) + 1
    assert all(
        replace(one, name="", disguise="", documents=()) == replace(case, name="", disguise="", documents=())
        for one in tries
    )


def test_files_are_read_and_mistakes_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [("the 7 is here", "7"), ("nothing", "8"), ("x" * 3000 + "9", "9"), (" ", " ")]
    path.write_text(
        "".join(json.dumps({"context": text, "question": "Q: a?", "ideal": ideal}) + "\n" for text, ideal in rows)
    )
    assert read_contexts(path) == [Context("the 7 is here", "a?", "7")]
    with pytest.raises(UserError, match="line 1"):
        read_attacks(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_attacks(tmp_path / "none")
    with pytest.raises(UserError, match="120 cases need"):
        poisoned(CONTEXTS[:119], ["a"])
