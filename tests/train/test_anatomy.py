"""Blocks, matrices, fresh parts and levels of every kind of net, by name and number."""

import pytest
import torch
from torch import nn

from dragoman.core.errors import UserError
from dragoman.nn.masked import MaskedLM
from dragoman.train.anatomy import (
    blocks,
    chosen,
    count_learning,
    describe_learning,
    fold_learning,
    freeze,
    fresh_parts,
    levels,
    matrices,
    put,
    stacks,
)
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import writer
from tests.train.small import ARCH, net

ATTENTION = ["query", "key", "value", "output"]
GATED = ["gate", "up", "down"]


def test_the_matrices_of_a_classifier() -> None:
    found = matrices(net())
    expected = [f"encoder.blocks.{n}.attention.{part}" for n in range(3) for part in ATTENTION]
    expected += [f"encoder.blocks.{n}.feed_forward.{part}" for n in range(3) for part in ("up", "down")]
    assert sorted(found) == sorted(expected)
    assert found["encoder.blocks.2.feed_forward.up"].weight.shape == (32, 16)


def test_the_matrices_of_language_models() -> None:
    llama = matrices(writer("llama"))
    assert len(llama) == 2 * 7
    assert sorted(name for name in llama if "blocks.1." in name) == sorted(
        [f"blocks.1.attention.{part}" for part in ATTENTION] + [f"blocks.1.feed_forward.{part}" for part in GATED]
    )
    t5 = matrices(writer("t5"))
    assert len(t5) == 2 * (4 + 2) + 2 * (4 + 4 + 2)
    assert "decoder.blocks.1.cross.value" in t5
    assert len(matrices(MaskedLM(ARCH))) == 3 * 6
    assert all(isinstance(each, nn.Linear) for each in t5.values())


@pytest.mark.parametrize(("name", "places"), [("llama", [""]), ("bart", ["encoder", "decoder"])])
def test_stacks_and_blocks_stand_in_order(name: str, places: list[str]) -> None:
    model = writer(name)
    assert list(stacks(model)) == places
    assert list(blocks(model)) == [f"{place}.blocks.{n}".lstrip(".") for place in places for n in range(2)]


def test_only_a_head_over_an_encoder_is_fresh() -> None:
    model = net()
    assert fresh_parts(model) == {"head": model.head}
    assert fresh_parts(model.encoder) == {}
    for each in (writer("llama"), writer("t5"), MaskedLM(ARCH)):
        assert fresh_parts(each) == {}


def test_what_is_chosen() -> None:
    model = writer("llama")
    assert len(chosen(model, (), "lora")) == 14
    assert list(chosen(model, ("gate",), "lora")) == ["blocks.0.feed_forward.gate", "blocks.1.feed_forward.gate"]
    with pytest.raises(UserError, match="lora finds no matrix named 'gate' in this model") as caught:
        chosen(net(), ("query", "gate"), "lora")
    assert caught.value.hint.endswith("down, key, output, query, up, value")


def test_what_learns_is_listed_and_counted() -> None:
    model = net()
    freeze(model)
    assert describe_learning(model) == [
        ("head.dense.weight", (16, 16)),
        ("head.dense.bias", (16,)),
        ("head.out.weight", (3, 16)),
        ("head.out.bias", (3,)),
    ]
    assert count_learning(model) == 16 * 16 + 16 + 3 * 16 + 3
    tied = writer("gpt2").requires_grad_(True)
    assert count_learning(tied) == sum(weight.numel() for weight in tied.parameters())
    assert "head.weight" not in dict(describe_learning(tied))  # the table of words, once


def test_what_learns_is_folded_over_the_blocks() -> None:
    model = Lora(rank=2, where=("query",)).apply(net(), 0)
    assert fold_learning(model) == [
        ("encoder.blocks.*.attention.query.down x 3", (2, 16)),
        ("encoder.blocks.*.attention.query.up x 3", (16, 2)),
        *describe_learning(model)[-4:],
    ]
    assert fold_learning(model, most=3)[1:] == [
        ("encoder.blocks.*.attention.query.up x 3", (16, 2)),
        ("and 4 more", ()),
    ]


def test_a_module_takes_the_place_of_another() -> None:
    model = writer("llama")
    new = torch.nn.Linear(32, 32)
    put(model, "blocks.1.attention.query", new)
    assert matrices(model)["blocks.1.attention.query"] is new


def test_levels_of_a_classifier() -> None:
    found = levels(net())
    assert found["encoder.embeddings.words.weight"] == 0
    assert found["encoder.embeddings.norm.weight"] == 0
    assert found["encoder.blocks.0.attention.query.weight"] == 1
    assert found["encoder.blocks.2.feed_forward.up.bias"] == 3
    assert found["head.out.weight"] == 4
    assert len(found) == len(list(net().named_parameters()))


def test_levels_of_language_models() -> None:
    llama = levels(writer("llama"))
    assert (llama["embeddings.words.weight"], llama["blocks.1.attention.key.weight"]) == (0, 2)
    assert (llama["norm.weight"], llama["head.weight"]) == (2, 2)
    t5 = levels(writer("t5"))
    assert (t5["encoder.embeddings.words.weight"], t5["encoder.sights.relative.table.weight"]) == (0, 1)
    assert (t5["encoder.norm.weight"], t5["decoder.sights.relative.table.weight"]) == (2, 3)
    assert (t5["decoder.blocks.0.cross.value.weight"], t5["decoder.norm.weight"]) == (3, 4)
    masked = levels(MaskedLM(ARCH))
    assert (masked["encoder.blocks.2.attention.key.bias"], masked["dense.weight"], masked["head.bias"]) == (3, 3, 3)
