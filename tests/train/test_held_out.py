"""Held-out texts are read once and whole; a model that knows nothing of bytes needs exactly 8 bits for each."""

import math
from dataclasses import replace

import pytest
import torch

from dragoman.core.shards import Documents
from dragoman.train.held_out import hold_out
from dragoman.train.objectives.clm import Clm
from dragoman.train.packing import Texts
from tests.train.texts import HOW, OBJECTIVES, Numbers, kit, model, texts


def uniform() -> object:
    """A decoder of 256 words that are all alike to it."""
    net = model("clm")
    net = type(net)(replace(net.arch, vocabulary=256)).eval()
    torch.nn.init.zeros_(net.head.weight)
    return net


def test_a_uniform_model_over_bytes_needs_eight_bits() -> None:
    data = [list(b"every byte is a token"), list(b"and none is better than another")]
    source = Documents.of("bytes", data, [len(one) for one in data])
    given = replace(kit(), tokenizer=Numbers(bos_id=0, eos_ids=frozenset({1}), size=256))
    found = hold_out(uniform(), OBJECTIVES["clm"], Texts((source,)), given)
    assert found.bits_per_byte == pytest.approx(8.0, abs=1e-6)
    assert found.labels == source.tokens  # where a text ends is not asked
    pairs = [[token // 2 for token in one for _ in range(1)] for one in data]
    two = Documents.of("bytes", pairs, [2 * len(one) for one in pairs])  # tokens of two bytes each
    assert hold_out(uniform(), OBJECTIVES["clm"], Texts((two,)), given).bits_per_byte == pytest.approx(4.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["clm", "mlm", "span"])
def test_figures_do_not_depend_on_the_batch_and_are_the_same_each_time(kind: str) -> None:
    net, objective = model(kind, seed=5).eval(), OBJECTIVES[kind]
    held = texts(25, seed=9)
    first = hold_out(net, objective, held, kit())
    again = hold_out(net, objective, held, kit(replace(HOW, batch=1, seed=77, accumulation=1)))
    assert first.loss == pytest.approx(again.loss, rel=1e-6)
    assert (first.labels, len(first.groups)) == (again.labels, len(again.groups))
    assert first == hold_out(net, objective, held, kit())
    assert first.loss == pytest.approx(math.log(64), abs=1.5)
    assert (first.bits_per_byte is None) == (kind != "clm")
    assert len(first.groups) > 3


def test_all_tokens_are_read_once() -> None:
    held = texts(25, seed=9)
    found = hold_out(model("clm").eval(), OBJECTIVES["clm"], held, kit())
    assert found.labels == held.tokens
    assert found.bits_per_byte == pytest.approx(found.loss * found.labels / math.log(2) / held.bytes)


def test_what_keeps_logits_small_is_no_part_of_what_is_measured() -> None:
    net, held = model("clm", seed=5).eval(), texts(25, seed=9)
    assert hold_out(net, Clm(z_loss=0.1), held, kit()) == hold_out(net, Clm(), held, kit())


def test_a_pass_holds_no_more_rows_than_one_of_the_training() -> None:
    seen = []
    net = model("clm").eval()
    states = net.states
    net.states = lambda ids, **more: seen.append(len(ids)) or states(ids, **more)  # type: ignore[func-returns-value]
    hold_out(net, Clm(), texts(400, seed=9), kit(replace(HOW, batch=12, accumulation=6)))
    assert max(seen) == 2
