"""Gaps: each document of a row has its own, input and target give it back, and the answer sees its own text alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.train.objectives.span import Span
from dragoman.train.packing import Texts
from tests.train.texts import HOW, Numbers, begun, documents, kit, model, steps, texts

FIRST = 63


def batch_of(source: Documents, length: int = 50):  # type: ignore[no-untyped-def]
    net, given = model("span", seed=1), kit(replace(HOW, batch=1, max_length=length))
    return net, next(Span().stream(net, replace(Span().encode(net, Texts((source,)), given), ordered=True), given, 0))[
        0
    ]


def test_every_document_can_be_put_together_again() -> None:
    source = documents(count=5, longest=12)
    _, batch = batch_of(source)
    found, begin = [], 0
    for number in range(5):
        ids = batch.ids[0][batch.segments[0] == number].tolist()
        labels = batch.labels[0][batch.target_segments[0] == number].tolist()
        labels = [one for one in labels if one != -100]
        assert ids[-1] == labels[-1] == 2
        gaps: dict[int, list[int]] = {}
        for one in labels[:-1]:
            if one > 51:
                gaps[one] = []
            else:
                gaps[list(gaps)[-1]].append(one)
        whole = [token for one in ids[:-1] for token in (gaps[one] if one > 51 else [one])]
        end = int(source.ends[number])
        found.append(whole == source.read(begin, end).tolist())
        begin = end
    assert found == [True] * 5


def test_the_decoder_reads_its_answer_one_place_late_from_each_document_s_start() -> None:
    _, batch = batch_of(documents(count=4, longest=9))
    for number in range(4):
        here = batch.target_segments[0] == number
        reads, says = batch.targets[0][here].tolist(), batch.labels[0][here].tolist()
        assert reads == [0, *says[:-1]]
        assert says[0] == FIRST


def test_a_document_of_one_token_is_taken_out_whole() -> None:
    _, batch = batch_of(Documents.of("tiny", [[10], [11, 12, 13, 14]], [1, 4]))
    assert batch.ids[0][:2].tolist() == [FIRST, 2]
    assert batch.labels[0][:3].tolist() == [FIRST, 10, 2]


def test_an_answer_sees_the_source_of_its_own_document_alone() -> None:
    states = []
    for first in ([10, 11, 12, 13, 14, 15], [30, 31, 32, 33, 34, 35]):
        net, batch = batch_of(Documents.of("two", [first, [20, 21, 22, 23]], [6, 4]))
        found = net.states(
            batch.ids, None, batch.targets, segments=batch.segments, target_segments=batch.target_segments
        )
        states.append((found[0][batch.target_segments[0] == 0], found[0][batch.target_segments[0] == 1]))
    assert not torch.allclose(states[0][0], states[1][0])
    assert torch.equal(states[0][1], states[1][1])


def test_a_row_fills_its_length_and_long_texts_have_sentinels_enough() -> None:
    source = Documents.of("long", [np.random.default_rng(0).integers(4, 48, 400).tolist()], [400])
    net, given = model("span"), kit(replace(HOW, max_length=64))
    rows = Span().encode(net, Texts((source,)), given)
    assert rows.length == 70  # of which 64 remain: 70 - 10 or 11 + 4 sentinels + the end
    for row in range(rows.count):
        batch = next(Span().stream(net, replace(rows, ordered=True), kit(replace(given.how, batch=1)), row))[0]
        assert batch.ids.shape[1] <= 64
        assert int(batch.ids.max()) == FIRST
    with pytest.raises(UserError, match="no sentinels"):
        Span().encode(net, texts(), replace(kit(), tokenizer=Numbers(eos_ids=frozenset())))
    for wrong in (Span, lambda **_: Span(mean=0.5)):
        with pytest.raises(UserError):
            wrong(density=0.0)


def test_it_learns() -> None:
    losses = [step.loss for step in steps(begun("span", replace(HOW, steps=150, batch=8)))]
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])
