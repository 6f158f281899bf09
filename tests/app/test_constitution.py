"""Constitutions: read or refused with one message, and principles that are never fixed."""

from collections import Counter
from pathlib import Path

import pytest

from dragoman.app.constitution import Constitution, Principle, default_constitution, read_constitution
from dragoman.core.errors import UserError

GOOD = """
[[principle]]
name = "polite"
critique = "Say where it is rude."
revision = "Rewrite it politely."
prefer = "Which of these answers is less rude?"

[[principle]]
name = "short"
prefer = " Which of these answers is shorter? "

[[example]]
principle = "polite"
prompt = "Where is it?"
answer = "There, fool."
critique = "It says fool."
revision = "There."
"""


def test_the_default_has_all_of_each() -> None:
    rules = default_constitution()
    assert len(rules.principles) == len(rules.revising) == len(rules.preferring) == 8
    assert all(one.prefer.startswith("Which of these answers") for one in rules.principles)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(GOOD)
    rules = read_constitution(tmp_path / "c.toml")
    assert [one.name for one in rules.revising] == ["polite"]
    assert rules.preferring[1] == Principle("short", prefer="Which of these answers is shorter?")
    assert rules.examples[0].principle is rules.principles[0]


@pytest.mark.parametrize(("old", "new", "said"), [
    (GOOD, "", "holds no principle"),
    ('name = "short"', "", "principle 2 of .* has no name"),
    ('name = "short"', 'name = "polite"', "the principle 'polite' of .* is there twice"),
    ('prefer = " Which of these answers is shorter? "', "", "'short' of .* asks nothing"),
    ('revision = "Rewrite it politely."', "", "'polite' of .* has no revision"),
    ('critique = "Say', 'critic = "Say', "has a 'critic', which no principle has"),
    ('name = "short"', "name = 3", "the name of principle 2 of .* is no text"),
    ("[[principle]]", "[[principles]]", "has a 'principles', which no constitution has"),
    ('principle = "polite"', 'principle = "short"', "example 1 of .* is one of 'short', by which nothing is crit"),
    ('answer = "There, fool."', 'answer = " "', "example 1 of .* has no answer"),
    (GOOD, 'principle = "x"', "'principle' of .* is no list of tables"),
    (GOOD, "[[principle", "is not valid TOML"),
])  # fmt: skip
def test_a_mistake_is_one_message(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "c.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(UserError, match=said) as caught:
        read_constitution(tmp_path / "c.toml")
    assert caught.value.hint


def test_no_file_and_nothing_to_ask() -> None:
    with pytest.raises(UserError, match="there is no constitution at"):
        read_constitution("nowhere.toml")
    bare = Constitution((Principle("short", prefer="Which is shorter?"),))
    with pytest.raises(UserError, match="no principle of the constitution has a 'critique'"):
        bare.to_revise(0, "row", 0)


def test_principles_are_dealt_by_seed_row_and_round() -> None:
    rules = default_constitution()
    names = {one.name for one in rules.principles}
    rows = [[rules.to_revise(3, f"row {row}", number).name for number in range(10)] for row in range(400)]
    assert rows == [[rules.to_revise(3, f"row {row}", number).name for number in range(10)] for row in range(400)]
    assert all(set(row[:8]) == names and row[8:] == row[:2] for row in rows)  # none again before all have come
    for number in range(4):
        counts = Counter(row[number] for row in rows)
        assert set(counts) == names
        assert sum((count - 50) ** 2 / 50 for count in counts.values()) < 24.3  # chi square, 7 df, p = 0.001
    assert rows != [[rules.to_revise(4, f"row {row}", number).name for number in range(10)] for row in range(400)]
    assert len({rules.to_prefer(3, f"row {row}").name for row in range(100)}) == 8
