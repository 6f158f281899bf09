"""Soft prompts and prefixes against peft: ours over its model, its over ours, the same answers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.store import load_lm
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.tuning.prefix import Prefix
from dragoman.train.tuning.soft_prompt import SoftPrompt
from tests.nn.tiny_lm import folder_of

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

IDS = torch.tensor([[5, 9, 30, 3, 77, 120], [60, 61, 7, 3, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
TARGETS = torch.tensor([[0, 8, 9, 10], [0, 44, 45, 46]])
COUNT = 3
CASES = [(SoftPrompt, "llama"), (SoftPrompt, "gpt2"), (SoftPrompt, "gemma3"), (SoftPrompt, "t5")]
CASES += [(Prefix, "llama"), (Prefix, "gpt2"), (Prefix, "window")]
NAMES = [f"{kind.__name__}-{name}" for kind, name in CASES]


def theirs(folder: Path, adapter: Path, name: str) -> torch.Tensor:
    """The logits of the text's tokens from transformers with what peft puts in front of them."""
    auto = transformers.AutoModelForSeq2SeqLM if name == "t5" else transformers.AutoModelForCausalLM
    model = peft.PeftModel.from_pretrained(auto.from_pretrained(folder), adapter).eval()
    with torch.no_grad():
        if name == "t5":
            return model(input_ids=IDS, attention_mask=MASK, decoder_input_ids=TARGETS).logits  # type: ignore[no-any-return]
        return model(input_ids=IDS, attention_mask=MASK).logits[:, -IDS.shape[1] :]  # type: ignore[no-any-return]


@torch.no_grad()
def ours(net: Any) -> torch.Tensor:
    """Our logits."""
    if isinstance(net, EncoderDecoder):
        return net(IDS, MASK.bool(), TARGETS)  # type: ignore[no-any-return]
    return net(IDS, MASK.bool())  # type: ignore[no-any-return]


def close(one: torch.Tensor, other: torch.Tensor, name: str) -> bool:
    """Whether the logits of real tokens are the same to 1e-5 of their size."""
    real = torch.ones_like(TARGETS, dtype=torch.bool) if name == "t5" else MASK.bool()
    return float((one - other).abs()[real].max()) <= 1e-5 * max(1.0, float(other[real].abs().max()))


def stir(net: Any, seed: int) -> None:
    """What learns, far from where it began."""
    dice = torch.Generator().manual_seed(seed)
    for weight in net.parameters():
        if weight.requires_grad:
            weight.data.normal_(0, 1, generator=dice)


@pytest.mark.parametrize(("kind", "name"), CASES, ids=NAMES)
def test_peft_answers_as_we_do(tmp_path: Path, kind: Any, name: str) -> None:
    folder = folder_of(name, tmp_path / "base")
    tuning = kind(tokens=COUNT)
    net = tuning.apply(load_lm(folder), 0)
    stir(net, 1)
    assert write_adapter(net, tuning, tmp_path / "adapter", str(folder)) == "peft"
    base = load_lm(folder)
    assert float((ours(net) - ours(base)).abs().max()) > 0.1
    assert close(theirs(folder, tmp_path / "adapter", name), ours(net), name)
    assert read_adapter(base, tmp_path / "adapter") == tuning
    assert torch.equal(ours(base), ours(net))


@pytest.mark.parametrize(("kind", "name"), CASES, ids=NAMES)
def test_we_answer_as_peft_does(tmp_path: Path, kind: Any, name: str) -> None:
    folder = folder_of(name, tmp_path / "base")
    auto = transformers.AutoModelForSeq2SeqLM if name == "t5" else transformers.AutoModelForCausalLM
    make = peft.PromptTuningConfig if kind is SoftPrompt else peft.PrefixTuningConfig
    task = "SEQ_2_SEQ_LM" if name == "t5" else "CAUSAL_LM"  # of its own accord peft makes two sets for the first
    model = peft.get_peft_model(auto.from_pretrained(folder), make(task_type=task, num_virtual_tokens=COUNT))
    stir(model, 2)
    model.save_pretrained(tmp_path / "adapter")
    net = load_lm(folder)
    assert read_adapter(net, tmp_path / "adapter").tokens == COUNT
    assert close(ours(net), theirs(folder, tmp_path / "adapter", name), name)
    mine = kind(tokens=COUNT).apply(load_lm(folder), 0)
    learning = [sum(w.numel() for w in one.parameters() if w.requires_grad) for one in (mine, model)]
    assert learning[0] * (2 if name == "t5" else 1) == learning[1]


def test_a_prefix_of_an_encoder_decoder_has_our_own_form(tmp_path: Path) -> None:
    folder = folder_of("t5", tmp_path / "base")
    net = Prefix(tokens=2).apply(load_lm(folder), 0)
    stir(net, 3)
    assert write_adapter(net, Prefix(tokens=2), tmp_path / "adapter", str(folder)) == "own"
    again = load_lm(folder)
    assert read_adapter(again, tmp_path / "adapter") == Prefix(tokens=2)
    assert torch.equal(ours(again), ours(net))


@pytest.mark.parametrize("kind", [SoftPrompt, Prefix])
def test_another_model_s_is_refused(tmp_path: Path, kind: Any) -> None:
    tuning = kind(tokens=2)
    net = tuning.apply(load_lm(folder_of("llama", tmp_path / "llama")), 0)
    config, tensors = tuning.to_peft(net, {})
    wide = {"prompt_embeddings": torch.cat([tensors["prompt_embeddings"]] * 3, dim=1)}
    base = load_lm(folder_of("gpt2", tmp_path / "gpt2"))
    assert isinstance(base, Decoder)
    for settings, held in (
        (config, wide),
        ({**config, "peft_type": "LORA"}, tensors),
        ({**config, "prefix_projection": True}, tensors),
        (config, {}),
        ({**config, "num_virtual_tokens": "two"}, tensors),
    ):
        with pytest.raises(UserError):
            kind.from_peft(settings, held, base, {})
