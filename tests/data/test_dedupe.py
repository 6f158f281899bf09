"""Duplicates: D17 and D18 of the fault catalogue, on made and on real texts."""

import json
import random
import time
from pathlib import Path

import pytest

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.builtin import stdlib
from dragoman.data.dedupe import canonical, conflicts, exact, groups, near, overlap, similarity, unique, words_of
from dragoman.data.load import load, require


def example(text: str, *labels: str) -> Example:
    return Example((Message("user", text),), labels)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Real texts of one and two sentences, no two of them near."""
    every = [row.text for row in stdlib() if 60 < len(row.text) < 400]
    alike = {index for one, other, _ in near(every, 0.6) for index in (one, other)}
    return [text for index, text in enumerate(every) if index not in alike]


def changed(text: str, how: int) -> str:
    """A text as a careless copy has it: one of ten ways."""
    words = text.split()
    middle = len(words) // 2
    ways = (
        text,
        text.upper(),
        "  " + text.replace(" ", "  "),
        text.rstrip(".") + " !",
        text.replace(",", ""),
        text + " Indeed.",
        "Note: " + text,
        " ".join([*words[:middle], "really", *words[middle:]]),
        " ".join([*words[:middle], words[middle][::-1], *words[middle + 1 :]]),
        text.replace("the", "teh", 1),
    )
    return ways[how % len(ways)]


def test_d17_duplicate_ids_are_refused_where_the_column_is_given(tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": "a", "id": number % 9} for number in range(10)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    strict = load("a.jsonl", root=tmp_path, columns=Columns(id="id"))
    assert [(problem.name, problem.place.line) for problem in strict.problems] == [("duplicate-id", 10)]
    assert "a.jsonl:1:1" in strict.problems[0].reason
    guessed = load("a.jsonl", root=tmp_path)
    require(guessed)
    assert guessed.notes["duplicate-id"] == 1


def test_d18_ten_planted_leaks_are_found_and_nothing_else(texts: list[str]) -> None:
    train, clean = texts[:1500], texts[1500:2500]
    planted = [
        changed(text, how) for how, text in enumerate(random.Random(1).sample([t for t in train if len(t) > 120], 10))
    ]
    found = overlap(train, clean + planted)
    caught = {row for _, row in found.exact} | {row for _, row, _ in found.near}
    assert caught >= set(range(len(clean), len(clean) + 10))
    assert len([row for row in caught if row < len(clean)]) <= 0.01 * len(clean)


def test_d18_no_false_alarm_between_real_parts(shared_data: Path) -> None:
    def read(name: str) -> list[str]:
        lines = (shared_data / "classification" / name).read_text().splitlines()
        return [json.loads(line)["text"] for line in lines]

    train, dev = read("sst2_train.jsonl"), read("sst2_dev.jsonl")
    start = time.perf_counter()
    clean = overlap(train, dev)
    assert time.perf_counter() - start < 20
    assert len(clean.exact) == 0
    assert clean.near_share <= 0.01
    planted = [changed(text, how) for how, text in enumerate(text for text in train[:200] if len(text) > 110)][:10]
    found = overlap(train, dev + planted)
    caught = {row for _, row in found.exact} | {row for _, row, _ in found.near}
    assert caught >= set(range(len(dev), len(dev) + 10))


def test_exact_means_case_and_white_space_aside() -> None:
    assert exact(["a b", "A  b ", "a b.", "c", "e\u0301", "\u00e9"]) == [[0, 1], [4, 5]]
    assert canonical(" Straße\n") == "strasse"
    assert exact(["C++", "C#", "C"]) == []


def test_similarity_is_the_real_jaccard_overlap() -> None:
    assert similarity("abcdefgh", "abcdefgh") == 1
    # abcde bcdef cdefg defgh against bcdef cdefg defgh efghi: 3 shared of 5
    assert similarity("abcdefgh", "bcdefghi") == pytest.approx(3 / 5)
    assert similarity("abc", "xyz") == 0
    assert similarity("!!!", "???") == 0
    words = "one two three four five six seven eight nine ten"
    assert similarity(words, words.replace("five", "cinq")) == pytest.approx(9 / 11)
    assert similarity("great food and service", "service and food great") < 0.8


def test_near_finds_every_pair_that_comparing_all_finds(texts: list[str]) -> None:
    some = texts[:120]
    some += [changed(text, 3 + index) for index, text in enumerate(some[:40])]
    wanted = {
        (one, other)
        for one in range(len(some))
        for other in range(one + 1, len(some))
        if canonical(some[one]) != canonical(some[other]) and similarity(some[one], some[other]) >= 0.8
    }
    assert len(wanted) > 20
    assert {(one, other) for one, other, _ in near(some, 0.8)} == wanted


def test_groups_do_not_depend_on_the_order(texts: list[str]) -> None:
    some = texts[:60] + [changed(text, index) for index, text in enumerate(texts[:30])]
    order = random.Random(3).sample(range(len(some)), len(some))

    def as_sets(rows: list[str]) -> set[frozenset[str]]:
        bound = groups(rows)
        return {frozenset(rows[i] for i in range(len(rows)) if bound[i] == group) for group in set(bound)}

    assert as_sets(some) == as_sets([some[index] for index in order])


def test_given_groups_are_joined() -> None:
    assert groups(["one", "two", "three", "one", "five"], given=["", "a", "", "a", ""]) == [0, 0, 2, 0, 4]
    assert groups([]) == []


def test_conflicts_and_unique() -> None:
    rows = [example("a", "x"), example("A ", "y"), example("b", "x"), example("b", "x"), example("c", "x", "y")]
    assert conflicts(rows) == [[0, 1]]
    assert unique(rows) == ([rows[0], rows[1], rows[2], rows[4]], 1)
    assert conflicts([example("c", "x", "y"), example("c", "y", "x")]) == []


def test_what_an_example_is_told_apart_by() -> None:
    asked = Message("user", "Well?")
    plain = [Example((), ("One text.",)), Example((), ("Another.",)), Example((), ("one  TEXT.",))]
    assert [words_of(one) for one in (*plain, Example((asked,), ("x",)))] == [
        "One text.",
        "Another.",
        "one  TEXT.",
        "Well?",
    ]
    assert unique(plain)[1] == 0  # the answers differ in their case
    assert unique([plain[0], plain[0]])[1] == 1
    kind, rude = (Example((Message("system", how), asked), ("x",)) for how in ("Be kind.", "Be rude."))
    assert unique([kind, rude])[1] == 0
    tags = [Example((asked,), tags, meta={"words": ["a", "b"]}) for tags in (("O", "B-a"), ("B-a", "O"))]
    assert unique(tags)[1] == 0


def test_a_thumb_up_and_a_thumb_down_are_two_rows() -> None:
    up, down = (Example((Message("user", "a"),), ("b",), meta={"good": good}) for good in (True, False))
    assert unique([up, down])[1] == 0
    assert unique([up, up])[1] == 1
