"""Pairs for a scorer: those of one prompt in one step, every pair once an epoch, by seed and step alone."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.scorer import Scorer
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.doors import How, Kit
from dragoman.train.fitting import Lesson
from dragoman.train.rankings import Rankings, rankings_of, stream_rankings
from tests.nn.tiny import ARCHES, tokenizer
from tests.train.lessons import model, words

HOW = How(batch=4, max_length=40, precision="fp32", device="cpu", seed=5)


@cache
def pieces() -> Tokenizer:
    """The tokenizer of a BERT."""
    return tokenizer("bert", Path(mkdtemp()))


def kit(**change: Any) -> Kit:
    """What encodes for a BERT; changes of `How` by name."""
    return Kit(replace(HOW, **change), pieces())


@cache
def bert() -> Scorer:
    """A scorer that is read by nobody: its shape counts."""
    return Scorer(fresh_encoder(ARCHES["bert"]), Head(ARCHES["bert"], 1)).eval()


def pairs(*counts: int, margin: bool = False) -> list[Example]:
    """So many pairs for each prompt, spread so that pairs of a prompt are no neighbours."""
    found = []
    for turn in range(max(counts)):
        for prompt, count in enumerate(counts):
            if turn < count:
                asked = (Message("user", "abcdefghijklmnopqrstuvwxyz"[prompt] + " dog" * (prompt % 5)),)
                meta: dict[str, Any] = {"id": f"{prompt}.{turn}"}
                meta |= {"margin": turn + 0.5} if margin else {}
                found.append(Example(asked, ("the cat" + " sat" * turn,), "a dog" + " ran" * turn, meta))
    return found


def ranked(examples: list[Example], **change: Any) -> Rankings:
    return rankings_of(bert(), Lesson(examples), kit(**change))


def epoch(rankings: Rankings, number: int, size: int = 4) -> list[list[int]]:
    """The pairs of each step of an epoch."""
    steps = rankings.steps_an_epoch(size)
    return [rankings.batch(number * steps + step, size) for step in range(steps)]


@pytest.mark.parametrize("counts", [(1,) * 11, (3, 1, 1, 2, 3, 4, 1), (9, 2, 5), (4, 4, 4), (1, 9)])
@pytest.mark.parametrize("size", [1, 3, 4, 50])
def test_every_pair_once_an_epoch_and_no_step_is_empty(counts: tuple[int, ...], size: int) -> None:
    found = ranked(pairs(*counts))
    assert len(found) == sum(counts) and found.steps_an_epoch(size) == -(-sum(counts) // size)
    for number in range(3):
        steps = epoch(found, number, size)
        assert sorted(place for step in steps for place in step) == list(range(sum(counts)))
        assert all(steps) and max(map(len, steps)) < 2 * size


def test_pairs_of_one_prompt_stand_in_one_step() -> None:
    found = ranked(pairs(3, 1, 4, 2, 3, 4, 1, 2))
    for number in range(5):
        steps = epoch(found, number)
        for bundle in found.bundles:
            assert sum(bool(set(bundle) & set(step)) for step in steps) == 1
    many = ranked(pairs(9, 1, 1))  # more than a step has: cut, and never into more parts than needed
    for number in range(3):
        assert sum(bool(set(many.bundles[0]) & set(step)) for step in epoch(many, number)) <= 3


def test_a_step_is_a_pure_function_of_seed_and_step() -> None:
    examples = pairs(*[1, 2, 3] * 5)
    found, again = ranked(examples), ranked(examples)
    forth = [found.batch(step, 4) for step in range(24)]
    back = [again.batch(step, 4) for step in reversed(range(24))][::-1]
    assert forth == back
    assert forth != [ranked(examples, seed=6).batch(step, 4) for step in range(24)]
    assert epoch(found, 0) != epoch(found, 1)  # another order, and as a rule other steps


def test_texts_of_like_length_go_together() -> None:
    examples = [
        Example((Message("user", "a" * (1 + row % 30)),), ("the cat",), "a dog", {"id": str(row)}) for row in range(96)
    ]
    found = ranked(examples, max_length=40)
    lengths = [[max(map(len, found.rows[place])) for place in step] for step in epoch(found, 0)]
    assert max(max(step) - min(step) for step in lengths) <= 2


def test_chosen_rows_come_first_and_rejected_ones_in_the_same_order() -> None:
    found = ranked(pairs(2, 2, margin=True))
    batch = found.rank_batch([3, 0], kit())
    assert batch.names == ("1.1", "0.0") and batch.weight == 2.0
    assert batch.margins.tolist() == [1.5, 0.5]
    rows = [*(found.rows[place][0] for place in (3, 0)), *(found.rows[place][1] for place in (3, 0))]
    assert batch.tokens == sum(map(len, rows))
    for place, row in enumerate(rows):
        assert tuple(batch.ids[place, : len(row)].tolist()) == row
        assert batch.mask is None or batch.mask[place].sum() == len(row)
    assert batch.types is not None and batch.types.shape == batch.ids.shape


def test_what_teaches_nothing_is_left_out_and_what_is_shortened_is_counted() -> None:
    asked = (Message("user", "a dog"),)
    good = pairs(2)
    wrong = [
        Example(asked, ("the cat",), " the cat\n"),
        Example(asked, ("the cat",), ""),
        Example(asked, (" \n",), "the cat"),
        Example(asked, (), "the cat"),
        Example(asked, ("the cat " * 30,), "the cat"),
        Example(asked, ("the cat",), "the cat " * 30),
    ]
    long = Example((Message("user", "a dog ran " * 30),), ("the cat",), "a dog", {"id": "long"})
    found = ranked([*wrong[:3], *good, *wrong[3:], long])
    assert (len(found), found.dropped, found.cut) == (3, 6, 1)
    assert found.places == (3, 4, 8) and found.names == ("0.0", "0.1", "long")
    assert all(len(row) <= HOW.max_length for pair in found.rows for row in pair)
    with pytest.raises(UserError, match="of 6 examples none is a pair") as caught:
        ranked(wrong)
    assert "train.max_length" in caught.value.hint


def test_a_row_without_a_name_is_called_by_its_place_and_a_missing_margin_is_0() -> None:
    found = ranked([Example((Message("user", "a"),), ("the cat",), "a dog", {"margin": None})])
    assert found.names == ("row 0",) and found.margins == (0.0,)


def test_the_digest_is_another_one_when_anything_learnt_is() -> None:
    examples = pairs(2, 2, margin=True)
    same = ranked(examples)
    assert same.digest() == ranked(examples).digest() == ranked(examples, seed=9).digest()
    changed = [
        replace(examples[0], answers=("the mat",)),
        replace(examples[0], rejected="the mat"),
        replace(examples[0], prompt=(Message("user", "z"),)),
        replace(examples[0], meta={**examples[0].meta, "margin": 9.0}),
        replace(examples[0], meta={**examples[0].meta, "id": "other"}),
        replace(examples[0], answers=(examples[0].rejected,), rejected=examples[0].answers[0]),
    ]
    digests = {ranked([one, *examples[1:]]).digest() for one in changed}
    assert len(digests | {same.digest()}) == 7


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_parts_and_processes_share_a_step_among_them(accumulation: int) -> None:
    found = ranked(pairs(*[1, 2, 3] * 3))
    whole = [[found.names[place] for place in found.batch(step, 4)] for step in range(6)]
    for ranks in (1, 2):
        told: list[list[str]] = [[] for _ in whole]
        for rank in range(ranks):
            shared = replace(kit(accumulation=accumulation), rank=rank, ranks=ranks)
            for step, parts in zip(range(6), stream_rankings(found, shared, 0), strict=False):
                assert len(parts) <= accumulation
                told[step] += [name for part in parts for name in part.names]
        assert told == whole
    late = next(stream_rankings(found, kit(accumulation=accumulation), 3))
    assert [name for part in late for name in part.names] == whole[3]


def test_a_decoders_rows_end_where_its_answers_end() -> None:
    body = model()
    assert isinstance(body, Decoder)
    net = Scorer(body, TokenHead(body.arch, 1))
    found = rankings_of(net, Lesson(pairs(1, 1)), Kit(replace(HOW, max_length=90), words()))
    end = min(words().eos_ids)
    assert Counter(row[-1] for pair in found.rows for row in pair) == {end: 4}
    batch = found.rank_batch([0, 1], Kit(HOW, words()))
    assert batch.types is None and batch.ids.dtype == torch.long
