"""Thin pairs and gains in PEFT's words and back, joint matrices among them, without peft."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.adapter import published_modules
from dragoman.train.exchange import gains_from_peft, gains_to_peft, thin_from_peft, thin_to_peft
from dragoman.train.low_rank import LowRank
from dragoman.train.tuning.ia3 import Ia3
from dragoman.train.tuning.lora import Lora
from tests.train.small import net
from tests.train.tunings import made, stirred

JOINT = "transformer.h.0.attn.c_attn"


def test_a_joint_matrix_is_written_along_a_diagonal_and_read_back() -> None:
    lora = Lora(rank=2, where=("query", "value"))
    model = lora.apply(made("gpt2"), 0)
    stirred(model)
    names = published_modules(model)
    config, tensors = thin_to_peft(model, names, 2, 16.0, False, 0.0)
    up = tensors[f"{JOINT}.lora_B.weight"]
    query, value = (model.get_submodule(f"blocks.0.attention.{part}") for part in ("query", "value"))
    assert isinstance(query, LowRank)
    assert isinstance(value, LowRank)
    assert torch.equal(up[:32], torch.cat((query.up, torch.zeros(32, 2)), 1))
    assert torch.equal(up[32:], torch.cat((torch.zeros(64, 2), torch.cat((torch.zeros(32, 2), value.up))), 1))
    assert (config["rank_pattern"][JOINT], config["alpha_pattern"][JOINT]) == (4, 32.0)
    found, ours = thin_from_peft(config, tensors, made("gpt2"), names)
    assert (found.rank, found.where) == (2, ("query", "value"))
    assert torch.equal(ours["blocks.0.attention.value.up"], value.up)
    assert torch.equal(ours["blocks.0.attention.query.down"], query.down)


def test_one_pair_for_all_three_is_each_one_s_own() -> None:
    plain = made("gpt2")
    tensors = {f"{JOINT}.lora_A.weight": torch.ones(2, 32), f"{JOINT}.lora_B.weight": torch.ones(96, 2)}
    found, ours = thin_from_peft({"r": 2, "lora_alpha": 4}, tensors, plain, published_modules(plain))
    assert found.where == ("key", "query", "value")
    assert all(torch.equal(ours[f"blocks.0.attention.{part}.down"], torch.ones(2, 32)) for part in found.where)


def test_gains_of_a_joint_matrix() -> None:
    model = Ia3(outputs=("value",)).apply(made("gpt2"), 0)
    stirred(model)
    names = published_modules(model)
    config, tensors = gains_to_peft(model, names)
    assert config["feedforward_modules"] == ["transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"]
    assert bool((tensors[f"{JOINT}.ia3_l"][:64] == 1).all())
    outputs, inputs, ours = gains_from_peft(tensors, made("gpt2"), names)
    assert (outputs, inputs) == (("value",), ("down",))
    assert torch.equal(ours["blocks.1.attention.value.gain"], model.get_parameter("blocks.1.attention.value.gain"))


@pytest.mark.parametrize(
    ("config", "tensors", "said"),
    [
        ({}, {"head.dense.weight": torch.ones(1)}, "no use for"),
        ({}, {"lora_A": torch.ones(2, 16)}, "does not hold exactly"),
        ({"alpha_pattern": {"query": 3}}, {"lora_A": torch.ones(2, 16), "lora_B": torch.ones(16, 2)}, "scale of its"),
        ({}, {"lora_A": torch.ones(2, 16), "lora_B": torch.ones(15, 2)}, "does not fit"),
        ({"lora_alpha": None}, {}, "r and lora_alpha as numbers"),
    ],
)
def test_what_does_not_fit_is_refused(config: dict[str, object], tensors: dict[str, torch.Tensor], said: str) -> None:
    query = "bert.encoder.layer.0.attention.self.query"
    named = {f"{query}.{name}.weight" if "lora" in name else name: each for name, each in tensors.items()}
    with pytest.raises(UserError, match=said):
        thin_from_peft({"r": 2, "lora_alpha": 4, **config}, named, net(), published_modules(net()))


def test_a_net_without_them_has_nothing_to_write() -> None:
    with pytest.raises(ValueError, match="before it is merged"):
        thin_to_peft(net(), {}, 2, 4.0, False, 0.0)
    with pytest.raises(ValueError, match="before it is merged"):
        gains_to_peft(net(), {})
