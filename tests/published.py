"""Every family as transformers builds it, small, in two regimes of weights, and how its logits are compared to ours."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.store import LanguageModel, load_lm

__all__ = [
    "CASES",
    "REGIMES",
    "TOLERANCE",
    "Batch",
    "Pair",
    "agree",
    "batch",
    "logits",
    "make_pair",
    "opener",
    "quietly",
]

REGIMES = ("default", "amplified")
TOLERANCE = {"default": 2e-6, "amplified": 1e-5}

_PLAIN = {
    "vocab_size": 99,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
}
_LLAMA = {**_PLAIN, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "pad_token_id": 0}
_T5 = {"vocab_size": 99, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3, "num_heads": 4, "pad_token_id": 0}
_BART = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in
         (("layers", 3), ("attention_heads", 4))}  # fmt: skip
_STRETCHED = {"factor": 8.0, "original_max_position_embeddings": 32, "rope_theta": 1e4}


def _rope(kind: str, **settings: Any) -> dict[str, Any]:
    return {**_LLAMA, "rope_parameters": {"rope_type": kind, **_STRETCHED, **settings}}


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", {"vocab_size": 99, "n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 128}),
    "llama": ("Llama", _LLAMA),
    "llama llama3": ("Llama", _rope("llama3", rope_theta=5e5, low_freq_factor=1.0, high_freq_factor=4.0)),
    "llama linear": ("Llama", _rope("linear")),
    "llama yarn": ("Llama", _rope("yarn")),
    "llama biases": ("Llama", {**_LLAMA, "attention_bias": True, "mlp_bias": True}),
    "llama tied": ("Llama", {**_LLAMA, "tie_word_embeddings": True, "head_dim": 32}),
    "mistral window": ("Mistral", {**_LLAMA, "sliding_window": 8}),
    "qwen2": ("Qwen2", {**_LLAMA, "rms_norm_eps": 1e-6}),
    "qwen2 window": ("Qwen2", {**_LLAMA, "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 2}),
    "qwen3": ("Qwen3", {**_LLAMA, "head_dim": 32}),
    "gemma": ("Gemma", {**_LLAMA, "head_dim": 32}),
    "gemma3_text": (
        "Gemma3Text",
        {**_LLAMA, "head_dim": 32, "query_pre_attn_scalar": 24, "sliding_window": 7, "sliding_window_pattern": 2},
    ),
    "bert": ("Bert", _PLAIN),
    "roberta": ("Roberta", {**_PLAIN, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}),
    "distilbert": (
        "DistilBert",
        {"vocab_size": 99, "dim": 64, "n_layers": 4, "n_heads": 4, "hidden_dim": 128, "max_position_embeddings": 128},
    ),
    "t5": ("T5", {**_T5, "decoder_start_token_id": 0}),
    "t5 gated": (
        "T5",
        {**_T5, "decoder_start_token_id": 0, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bart": (
        "Bart",
        {**_BART, "vocab_size": 99, "d_model": 64, "encoder_ffn_dim": 128, "decoder_ffn_dim": 96,
         "max_position_embeddings": 128},
    ),
}  # fmt: skip
MASKED, TWO_STACKS = ("bert", "roberta", "distilbert"), ("t5", "t5 gated", "bart")


def opener(name: str) -> Any:
    """The Auto class that opens a case."""
    import transformers

    kind = "MaskedLM" if name in MASKED else "Seq2SeqLM" if name in TWO_STACKS else "CausalLM"
    return getattr(transformers, f"AutoModelFor{kind}")


@dataclass(frozen=True)
class Batch:
    """Rows of tokens and which are text; the same of what a second stack reads."""

    ids: Tensor
    mask: Tensor | None
    targets: Tensor
    target_mask: Tensor | None


@dataclass(frozen=True)
class Pair:
    """One model twice: as transformers made and saved it, and as we loaded it."""

    name: str
    regime: str
    theirs: Any
    ours: LanguageModel
    folder: Path


@contextmanager
def quietly(name: str) -> Iterator[None]:
    """While a pair lives: no bars, and where a gate squares what rounding does, their own order of arithmetic.

    transformers writes T5's tanh GELU out term by term, torch has it in one kernel. Against float64 both err alike
    (3e-5 to 2e-4 of the largest amplified logit, 6e-6 to 2e-5 between them), so the comparison uses theirs.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with pytest.MonkeyPatch.context() as patch:
        if name == "t5 gated":
            patch.setattr("dragoman.nn.blocks._gelu_tanh", _written_out)
        yield


def _written_out(states: Tensor) -> Tensor:
    return 0.5 * states * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (states + 0.044715 * states**3)))


def make_pair(name: str, regime: str, folder: Path, seed: int = 1) -> Pair:
    """A model of transformers with random weights, saved into the folder, and ours loaded from there."""
    import transformers

    kind, settings = CASES[name]
    torch.manual_seed(seed)
    net = opener(name).from_config(getattr(transformers, f"{kind}Config")(**settings)).eval()
    if name == "t5 gated":  # T5 1.1 says with this that its head is untied; here a fresh one is tied
        net.lm_head.weight = nn.Parameter(torch.randn_like(net.lm_head.weight) * 0.05)
    _shake(net, regime, seed)
    net.save_pretrained(folder)
    return Pair(name, regime, net, load_lm(folder), folder)


def _shake(net: nn.Module, regime: str, seed: int) -> None:
    """Amplified: matrices N(0, 1.5 / sqrt(fan in)), tables N(0, 1), biases N(0, 0.3), gains 1 + N(0, 0.3).

    Else as they were, with biases and gains moved a little: what is exactly 0 or 1 hides that it is left out.
    """
    dice = torch.Generator().manual_seed(seed)
    large = regime == "amplified"
    spread = 0.3 if large else 0.02
    centre = 0.0 if "Gemma" in type(net).__name__ else 1.0  # Gemma saves gains as distances from 1
    done: set[int] = set()
    with torch.no_grad():
        for module in net.modules():
            for name, values in module.named_parameters(recurse=False):
                if id(values) in done:  # a head that is the table of words
                    continue
                done.add(id(values))
                if values.ndim == 1:
                    values.normal_(0.0 if name == "bias" else centre, spread, generator=dice)
                elif large and isinstance(module, nn.Embedding):
                    values.normal_(0, 1, generator=dice)
                elif large:  # GPT-2's matrices stand [in, out]
                    fan = values.shape[0 if type(module).__name__ == "Conv1D" else 1]
                    values.normal_(0, 1.5 / fan**0.5, generator=dice)
        if hasattr(net, "final_logits_bias"):
            net.final_logits_bias.normal_(0, spread, generator=dice)


def batch(name: str, padded: bool) -> Batch:
    """Three texts of random tokens; padding stands on the left for what only writes, on the right elsewhere."""
    dice = torch.Generator().manual_seed(3)
    ids = torch.randint(3, 99, (3, 24), generator=dice)
    targets = torch.randint(3, 99, (3, 12), generator=dice)
    if not padded:
        return Batch(ids, None, targets, None)
    mask = torch.arange(24)[None] < torch.tensor([[24], [9], [17]])
    if name not in MASKED + TWO_STACKS:
        mask = mask.flip(1)
    fill = 1 if name in ("roberta", "bart") else 0
    target_mask = torch.arange(12)[None] < torch.tensor([[5], [12], [8]])
    return Batch(ids.where(mask, fill), mask, targets.where(target_mask, fill), target_mask)


def logits(net: Any, given: Batch) -> Tensor:
    """The logits of a net, ours or theirs, at every place that is text: [places, vocabulary]."""
    two = isinstance(net, EncoderDecoder) or getattr(getattr(net, "config", None), "is_encoder_decoder", False)
    real = given.target_mask if two else given.mask
    with torch.no_grad():
        if isinstance(net, EncoderDecoder):
            found = net(given.ids, given.mask, given.targets, given.target_mask)
        elif isinstance(net, LanguageModel):
            found = net(given.ids, given.mask)
        else:
            found = net(**_named(net, given, two)).logits
    return found.flatten(0, 1) if real is None else found[real]


def _named(net: Any, given: Batch, two: bool) -> dict[str, Tensor]:
    """What transformers wants to be told; positions too, which a bare forward counts through the padding."""
    told = {"input_ids": given.ids}
    if two:
        told["decoder_input_ids"] = given.targets
    if given.mask is None or given.target_mask is None:
        return told
    told["attention_mask"] = given.mask.long()
    if two:
        told["decoder_attention_mask"] = given.target_mask.long()
    elif "CausalLM" in type(net).__name__ or "LMHead" in type(net).__name__:
        told["position_ids"] = (given.mask.cumsum(1) - 1).clamp(min=0)
    return told


def agree(ours: Tensor, expected: Tensor, regime: str) -> bool:
    """Whether two sets of logits are one model's: close in relation to the largest, and never another choice."""
    close = (ours - expected).abs().max() <= TOLERANCE[regime] * expected.abs().max()
    return bool(close) and torch.equal(ours.argmax(-1), expected.argmax(-1))
