"""The split: D19 of the fault catalogue, shares, strata, groups, order and given parts."""

import random
from collections import Counter
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.builtin import stdlib
from dragoman.data.dedupe import overlap
from dragoman.data.load import load, require
from dragoman.data.split import Parts, sample, split


def example(text: str, *labels: str, group: str = "") -> Example:
    return Example((Message("user", text),), labels, meta={"group": group, "place": f"a:{text}"})


def made(rows: int, labels: int = 3, seed: int = 0) -> list[Example]:
    """Rows of ten random words, no two of them alike."""
    draw = random.Random(seed)
    return [
        example(" ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(10)), f"l{number % labels}")
        for number in range(rows)
    ]


def texts(rows: tuple[Example, ...]) -> list[str]:
    return [row.text for row in rows]


def test_shares_and_strata() -> None:
    parts = split(made(1000, 4))
    assert [len(part) for _, part in parts.items()] == [696, 152, 152]
    for _, part in parts.items():
        counts = Counter(row.answers[0] for row in part)
        assert max(counts.values()) - min(counts.values()) <= 1
    every = [row.text for _, part in parts.items() for row in part]
    assert len(set(every)) == 1000


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does() -> None:
    rows = made(300)
    mixed = random.Random(5).sample(rows, len(rows))
    one, other, third = split(rows), split(mixed), split(rows, seed=1)
    assert set(texts(one.test)) == set(texts(other.test))
    assert set(texts(one.validation)) == set(texts(other.validation))
    assert set(texts(one.test)) != set(texts(third.test))
    assert split(rows) == one


def test_a_few_more_rows_move_few_others() -> None:
    rows = made(1000)
    before, after = split(rows[:990]), split(rows)
    assert len(set(texts(before.test)) - set(texts(after.test))) <= 5


def test_duplicates_and_groups_stay_together() -> None:
    rows = [row for base in made(200) for row in (base, example(base.text.upper() + " indeed", *base.answers))]
    parts = split(rows)
    for one in ("train", "validation"):
        shared = overlap(texts(getattr(parts, one)), texts(parts.test))
        assert (shared.exact, shared.near) == ((), ())
    grouped = [example(row.text, *row.answers, group=f"g{index // 10}") for index, row in enumerate(made(400))]
    parts = split(grouped)
    names = [{row.meta["group"] for row in part} for _, part in parts.items()]
    assert not (names[0] & names[1] | names[0] & names[2] | names[1] & names[2])
    assert all(names)


def test_every_label_is_learnt_and_measured() -> None:
    rows = made(300, 2) + [example(f"rare words of number {n} {'xyz'[n] * 20}", "rare") for n in range(3)]
    parts = split(rows)
    assert all("rare" in {label for row in part for label in row.answers} for _, part in parts.items())


def test_multi_label_rows_follow_their_rarest_label() -> None:
    rows = [
        example(row.text, "common", *(["rare"] if index % 10 == 0 else ["often"]))
        for index, row in enumerate(made(200))
    ]
    parts = split(rows)
    assert [sum("rare" in row.answers for row in part) for _, part in parts.items()] == [14, 3, 3]


def test_a_label_of_one_row_is_named() -> None:
    rows = [*made(50), example("the only one of its kind", "lonely")]
    with pytest.raises(UserError, match=r"the label 'lonely' .* first at a:the only one"):
        split(rows)
    parts = split(rows, keep_going=True)
    assert parts.dropped == {"label-of-one-row": 1}
    assert "lonely" in parts.said[0]


def test_one_label_only_is_refused() -> None:
    with pytest.raises(UserError, match="only the label 'l0'"):
        split(made(50, 1))
    with pytest.raises(UserError, match="no label"):
        split([Example((Message("user", "a"),), ())])


def test_too_few_groups_are_refused() -> None:
    rows = [example(row.text, *row.answers, group=f"g{index // 50}") for index, row in enumerate(made(100, 2))]
    with pytest.raises(UserError, match="groups"):
        split(rows)


class TestD19:
    """Rows to measure on must not stand in training."""

    def leaky(self) -> tuple[list[Example], list[Example]]:
        rows = made(400)
        return rows[:300], rows[300:]

    def test_d19_one_exact_duplicate_is_refused(self) -> None:
        train, test = self.leaky()
        with pytest.raises(UserError) as caught:
            split([*train, example(test[7].text.upper(), "l0")], test=test)
        assert "1 of 100 test rows stand in train word for word" in caught.value.problem
        assert test[7].meta["place"] in caught.value.problem
        assert 'data.overlap="drop"' in caught.value.hint

    def test_d19_more_than_one_in_a_hundred_near_is_refused(self) -> None:
        train, test = self.leaky()
        two = [example(row.text + " x", *row.answers) for row in test[:2]]
        assert isinstance(split([*train, two[0]], test=test), Parts)
        with pytest.raises(UserError, match="2 more nearly"):
            split([*train, *two], test=test)

    def test_d19_drop_takes_them_out_of_training(self) -> None:
        train, test = self.leaky()
        ten = [example(row.text + " x" * (index % 2), *row.answers) for index, row in enumerate(test[:10])]
        parts = split([*train, *ten], test=test, on_overlap="drop")
        assert parts.dropped == {"train-row-in-test": 10}
        assert parts.test == tuple(test)
        assert not overlap(texts(parts.train), texts(parts.test)).exact
        assert len(parts.train) + len(parts.validation) == 300

    def test_d19_given_parts_are_kept_and_held_against_each_other(self) -> None:
        train, test = self.leaky()
        parts = split(train, validation=test[:50], test=test[50:])
        assert [len(part) for _, part in parts.items()] == [300, 50, 50]
        with pytest.raises(UserError, match="1 of 51 test rows stand in validation"):
            split(train, validation=test[:50], test=[*test[50:], test[0]])

    def test_d19_a_part_that_is_not_given_comes_from_the_rest(self) -> None:
        train, test = self.leaky()
        parts = split(train, validation=test)
        assert parts.validation == tuple(test)
        assert len(parts.test) == pytest.approx(0.15 / 0.85 * 300, abs=2)


def test_a_sample_is_the_same_in_any_order() -> None:
    rows = made(100)
    mixed = random.Random(5).sample(rows, len(rows))
    assert {row.text for row in sample(rows, 10)} == {row.text for row in sample(mixed, 10)}
    assert sample(rows, 0) == rows
    assert sample(rows, 10) != sample(rows, 10, seed=1)


def test_real_sets_split_whole(shared_data: Path) -> None:
    loaded = load(str(shared_data / "classification" / "trec_train.jsonl"))
    require(loaded)
    parts = split(loaded.examples)
    assert sum(len(part) for _, part in parts.items()) == 5452
    assert len(parts.test) / 5452 == pytest.approx(0.15, abs=0.01)
    shared = overlap(texts((*parts.train, *parts.validation)), texts(parts.test))
    assert (shared.exact, shared.near) == ((), ())
    assert {row.answers[0] for row in parts.test} == {"DESC", "ENTY", "ABBR", "HUM", "NUM", "LOC"}


def test_the_built_in_set_splits() -> None:
    parts = split(stdlib())
    labels = [{row.answers[0] for row in part} for _, part in parts.items()]
    assert labels[0] == labels[1] == labels[2]
