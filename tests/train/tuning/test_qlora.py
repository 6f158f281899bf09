"""QLoRA rounds the base, learns beside it, and comes out as a plain model, whatever kind of net it was given."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.store import load_classifier, load_lm
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.quantised import four_bit_modules
from dragoman.train.tuning.lora import Lora
from dragoman.train.tuning.qlora import Qlora
from tests.nn.tiny import classifier_folder
from tests.nn.tiny_lm import folder_of, writer
from tests.train.small import HOW, begun, net, steps

pytest.importorskip("bitsandbytes")

IDS = torch.tensor([[5, 9, 30, 3, 77, 20, 4]])


def stirred(tuned: Any, seed: int = 1) -> Any:
    """Thin pairs far from where they began."""
    dice = torch.Generator().manual_seed(seed)
    for module in low_rank_modules(tuned).values():
        module.up.data.normal_(0, 0.1, generator=dice)
    return tuned


@pytest.mark.parametrize("where", [(), ("query", "value")])
def test_the_number_of_weights_is_lora_s(where: tuple[str, ...]) -> None:
    thin, plain = (
        Qlora(rank=3, where=where).apply(writer("llama"), 0),
        Lora(rank=3, where=where).apply(writer("llama"), 0),
    )
    learning = [{n: w.shape for n, w in one.named_parameters() if w.requires_grad} for one in (thin, plain)]
    assert learning[0] == learning[1]
    assert len(four_bit_modules(thin)) == 2 * 7  # all are rounded, whichever have a pair
    assert torch.equal(
        low_rank_modules(thin)["blocks.0.attention.query"].down,
        low_rank_modules(plain)["blocks.0.attention.query"].down,
    )


def test_a_classifier_learns_beside_four_bits() -> None:
    training = begun(Qlora(), HOW)
    taken = steps(training)
    assert taken[-1].loss < taken[0].loss
    assert {name for name in training.weights if name.startswith("head.")}
    merged = Qlora().merge(training.net)
    assert not four_bit_modules(merged) and not low_rank_modules(merged)


@torch.no_grad()
def test_merged_without_a_base_it_says_what_it_said() -> None:
    tuned = stirred(Qlora(rank=2).apply(writer("gpt2"), 0))
    said = tuned(IDS)
    merged = Qlora(rank=2).merge(tuned)
    assert not four_bit_modules(merged) and not low_rank_modules(merged)
    assert merged.state_dict().keys() == writer("gpt2").state_dict().keys()
    assert torch.allclose(merged(IDS), said, atol=1e-4)


@torch.no_grad()
def test_merged_onto_its_base_nothing_is_rounded(tmp_path: Path) -> None:
    """A tuning that learnt nothing gives the base back to the last bit, of an encoder with a head too."""
    folder = folder_of("llama", tmp_path / "lm")
    plain = load_lm(folder)
    merged = Qlora(base=str(folder)).merge(Qlora().apply(load_lm(folder), 0))
    assert all(torch.equal(weight, merged.state_dict()[name]) for name, weight in plain.state_dict().items())
    labelled = classifier_folder("bert", tmp_path / "classifier")
    whole = Qlora(base=str(labelled)).merge(Qlora().apply(load_classifier(labelled), 0))
    held = load_classifier(labelled).state_dict()
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in held.items())
    other = folder_of("gpt2", tmp_path / "other")
    with pytest.raises(UserError, match="not the one that was rounded"):
        Qlora(base=str(other)).merge(Qlora().apply(load_lm(folder), 0))


@torch.no_grad()
def test_its_adapter_is_a_lora_over_the_base(tmp_path: Path) -> None:
    folder = folder_of("llama", tmp_path / "base")
    tuned = stirred(Qlora(rank=2).apply(load_lm(folder), 0))
    assert write_adapter(tuned, Qlora(rank=2), tmp_path / "adapter", str(folder)) == "peft"
    over = load_lm(folder)
    assert read_adapter(over, tmp_path / "adapter") == Lora(rank=2)
    merged = Qlora(rank=2, base=str(folder)).merge(tuned)
    assert torch.allclose(Lora(rank=2).merge(over)(IDS), merged(IDS), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Qlora(**wrong)  # type: ignore[arg-type]


def test_a_name_that_matches_nothing_is_refused() -> None:
    model = net()
    with pytest.raises(UserError, match="finds no matrix named 'qkv'"):
        Qlora(where=("qkv",)).apply(model, 0)
    assert not four_bit_modules(model)
