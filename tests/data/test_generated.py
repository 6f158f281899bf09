"""Rows that a model made are told by what they say of themselves, and are never measured on."""

import itertools
import json
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.generated import GENERATED, is_generated, of_people, refuse_generated
from dragoman.data.load import load
from dragoman.data.split import split


def row(text: str, label: str = "a", made: bool = False, group: str = "") -> Example:
    meta = {"place": f"a:{text}", **({GENERATED: True} if made else {}), **({"group": group} if group else {})}
    return Example((Message("user", text),), (label,), meta=meta)


WORDS = ["ash", "bay", "cot", "dew", "elm", "fig", "gum", "hay", "ivy", "jet", "kit", "lot", "map", "net", "oak", "pen"]
PEOPLE = [
    row(f"{one} {other} {WORDS[(first * 7 + second) % 16]}", "ab"[(first + second) % 2])
    for first, one in enumerate(WORDS)
    for second, other in enumerate(WORDS[:5])
]
MADE = [
    row(f"{one} goes {other} of it all", "ab"[place % 2], True)
    for place, (one, other) in enumerate(itertools.pairwise(WORDS))
]


def test_rows_say_it_of_themselves_in_every_file(tmp_path: Path) -> None:
    rows = [{"prompt": f"say {one}", "response": one, "generated": place % 2 == 0} for place, one in enumerate(WORDS)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (tmp_path / "a.csv").write_text("text,label,generated\n" + "".join(f"{one} x,a,{one == 'ash'}\n" for one in WORDS))
    found = load(str(tmp_path / "a.jsonl"), task="chat").examples
    assert [is_generated(one) for one in found] == [place % 2 == 0 for place in range(16)]
    assert [is_generated(one) for one in load(str(tmp_path / "a.csv"), task="classify").examples][:2] == [True, False]
    people, made = of_people(found)
    assert (len(people), len(made)) == (8, 8)


def test_they_move_no_row_of_people_and_are_in_training_alone() -> None:
    alone, mixed = split(PEOPLE), split([*MADE[:7], *PEOPLE, *MADE[7:]])
    assert mixed.test == alone.test and mixed.validation == alone.validation
    assert mixed.train == (*alone.train, *MADE)
    assert not any(is_generated(one) for name, part in mixed.items() if name != "train" for one in part)


def test_one_that_stands_in_what_is_measured_on_is_left_out() -> None:
    alone = split(PEOPLE)
    copies = [row(alone.test[0].text, "a", True), row(alone.validation[0].text.upper(), "b", True)]
    bound = [row("nothing like it at all", "a", True, group="same")]
    mixed = split([*PEOPLE, *copies, *MADE])
    assert mixed.train == (*alone.train, *MADE)
    assert mixed.dropped == {"generated-row-in-test": 1, "generated-row-in-validation": 1}
    given = split([*PEOPLE, *bound], test=[row("quite another text", "a", group="same")])
    assert not any(map(is_generated, given.train)) and given.dropped["generated-row-in-test"] == 1


def test_nothing_is_measured_on_them() -> None:
    with pytest.raises(UserError, match=r"1 of 2 rows of data\.test are generated"):
        split(PEOPLE, test=[row("one"), row("two", made=True)])
    with pytest.raises(UserError, match=r"data\.validation"):
        split(PEOPLE, validation=MADE)
    with pytest.raises(UserError, match="all 15 rows are generated") as caught:
        split(MADE)
    assert "data.test=PATH" in caught.value.hint
    parts = split(MADE, validation=PEOPLE[:10], test=PEOPLE[10:20])
    assert parts.train == tuple(MADE) and parts.test == tuple(PEOPLE[10:20])
    refuse_generated(PEOPLE, "test")
