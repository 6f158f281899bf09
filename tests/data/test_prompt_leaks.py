"""One prompt, one part: its preferences are bound together, and found where they stand in two."""

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.prompt_leaks import is_preference, prompt_bonds, prompt_groups, prompt_leaks
from dragoman.data.split import split


def asked(*turns: str, chosen: str = "a", rejected: str = "b", **meta: object) -> Example:
    """User and assistant in turns."""
    said = tuple(Message("assistant" if place % 2 else "user", text) for place, text in enumerate(turns))
    return Example(said, (chosen,), rejected, meta)


ROWS = [
    asked("one"),
    asked("two", group="g"),
    asked(" ONE", chosen="c"),
    asked("one", "yes", "more"),
    asked("one", "yes", "more", rejected="", good=False),
    asked("three", group="g"),
    asked("one", rejected=""),
]


def test_the_same_prompt_and_its_continuation_are_bound() -> None:
    assert [is_preference(row) for row in ROWS] == [True] * 6 + [False]
    assert prompt_bonds(ROWS) == [(0, 2), (0, 3), (0, 4), (3, 4)]
    assert prompt_groups(ROWS) == [0, 1, 0, 0, 0, 1, 6]


def test_a_prompt_of_two_parts_is_found_from_both_sides() -> None:
    train = [asked("one", "yes", "more"), asked("two"), asked("one"), asked("four", "x", "five")]
    assert prompt_leaks(train, [asked("one"), asked("three")]) == [(0, 0), (2, 0)]
    assert prompt_leaks(train, [asked("two", "no", "why")]) == [(1, 0)]
    assert prompt_leaks(train, [asked("four")]) == [(3, 0)]
    assert prompt_leaks(train, [asked("one", rejected=""), asked("other")]) == []


def unlike(count: int) -> list[Example]:
    return [asked(f"{n * 7919 % 1000:03d} {n * n % 997} question {n}", chosen=f"c{n}") for n in range(count)]


def test_a_split_keeps_the_answers_of_a_prompt_together() -> None:
    rows = [other for row in unlike(40) for other in (row, asked(row.text, chosen="x"), asked(row.text, "and", "so"))]
    parts = split(rows, labelled=False)
    firsts = [{row.prompt[0].content for row in part} for _, part in parts.items()]
    assert all(firsts)
    assert not (firsts[0] & firsts[1] | firsts[0] & firsts[2] | firsts[1] & firsts[2])


def test_a_test_file_with_a_prompt_of_training_is_refused_or_dropped() -> None:
    rows = unlike(60)
    test = [asked(rows[5].text, "go on", "why", chosen="z"), asked("something else altogether")]
    with pytest.raises(UserError, match="prompt-leak: 1 of 2 test rows have a prompt of train") as caught:
        split(rows, test=test, labelled=False)
    assert 'data.overlap="drop"' in caught.value.hint
    parts = split(rows, test=test, labelled=False, on_overlap="drop")
    assert parts.dropped == {"prompt-leak-with-test": 1}
    assert rows[5] not in (*parts.train, *parts.validation)
