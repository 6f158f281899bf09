"""Bugs that were made elsewhere, planted here one at a time: the comparison with transformers sees each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from dragoman.nn.arch import Rope
from dragoman.nn.store import LanguageModel, build_lm
from tests.published import REGIMES, Pair, agree, batch, logits, make_pair, quietly

pytest.importorskip("transformers")

Plant = Callable[[Any], None]


@dataclass(frozen=True)
class Bug:
    """What goes wrong: numbers of the shape, a change to the finished net, or a function that is another one."""

    case: str
    name: str
    arch: dict[str, Any] = field(default_factory=dict)
    plant: Plant = lambda net: None
    patch: dict[str, Callable[..., Any]] = field(default_factory=dict)
    needs: str = ""
    "the regime that must see it, where either alone is known to be blind"


def _each(part: str, change: Callable[[nn.Module], None]) -> Plant:
    """A change to every module whose name ends so."""

    def plant(net: nn.Module) -> None:
        found = [module for name, module in net.named_modules() if name.endswith(part)]
        assert found, part
        for module in found:
            change(module)

    return plant


def _zero(name: str) -> Callable[[nn.Module], None]:
    def change(module: nn.Module) -> None:
        getattr(module, name).data.zero_()

    return change


def _gone(path: str) -> Plant:
    """A part of the net that is left out."""

    def plant(net: nn.Module) -> None:
        owner, _, name = path.rpartition(".")
        setattr(net.get_submodule(owner), name, None)

    return plant


def _offset(rows: int) -> Plant:
    def plant(net: nn.Module) -> None:
        for module in net.modules():
            if hasattr(module, "offset"):
                module.offset += rows

    return plant


def _swapped(one: str, other: str) -> Plant:
    """Two matrices of each block in each other's place, as a fused one split in the wrong order."""

    def plant(net: nn.Module) -> None:
        for module in net.modules():
            if hasattr(module, one) and hasattr(module, other):
                first, second = getattr(module, one), getattr(module, other)
                setattr(module, one, second)
                setattr(module, other, first)

    return plant


def _turned(module: Any) -> None:
    module.weight.data = module.weight.data.t().contiguous()


def _sees_the_future(net: Any) -> None:
    sights = (net.decoder if hasattr(net, "decoder") else net).sights
    sights.causal = False
    if sights.relative is not None:
        sights.relative.both_ways = False


def _decoder_both_ways(net: Any) -> None:
    net.decoder.sights.relative.both_ways = True


def _encoder_one_way(net: Any) -> None:
    net.encoder.sights.relative.both_ways = False


def _no_relative(net: Any) -> None:
    for stack in (net.encoder, net.decoder):
        stack.sights.relative.table.weight.data.zero_()


def _interleaved(states: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Pairs (2 i, 2 i + 1), as in Meta's files."""
    half = states.shape[-1] // 2
    cos, sin = angles[0][..., :half], angles[1][..., half:]
    even, odd = states[..., ::2], states[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def _backwards(states: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = angles
    return states * cos - states.roll(states.shape[-1] // 2, -1) * sin


def _tiled(query: Tensor, key: Tensor, value: Tensor, sight: Any, scale: float, dropout: float = 0.0) -> Tensor:
    """Heads that answer, repeated as a whole: query head i reads i % g."""
    times = query.shape[1] // key.shape[1]
    key, value = key.repeat(1, times, 1, 1), value.repeat(1, times, 1, 1)
    return nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=sight.mask, is_causal=sight.causal, scale=scale
    )


def _counted_through(self: Any, ids: Tensor, mask: Tensor | None, cache: None) -> tuple[Tensor, Tensor | None]:
    """Positions that count the padding, as a bare forward of transformers does."""
    return torch.arange(ids.shape[1])[None], mask


def _unhidden(self: Any, ids: Tensor, mask: Tensor | None, cache: None) -> tuple[Tensor, Tensor | None]:
    assert mask is not None
    return (mask.cumsum(1) - 1).clamp(min=0), None


def _centred(states: Tensor, shape: Any, gain: Tensor | None, eps: float) -> Tensor:
    return nn.functional.layer_norm(states, shape, gain, None, eps)


def _tanh(states: Tensor) -> Tensor:
    return gelu(states, approximate="tanh")


def _tied(net: Any) -> None:
    net.decoder.head.weight.data.copy_(net.decoder.embeddings.words.weight)


def _norms_swapped(decoder: Any) -> None:
    for block in decoder.blocks:
        block.cross_norm, block.attention_norm = block.attention_norm, block.cross_norm


def _biases(part: str) -> Plant:
    return _each(part, _zero("bias"))


PLACES = "dragoman.nn.decoder.Decoder._places"
TURN, ATTEND = "dragoman.nn.attention.turn", "dragoman.nn.attention.attend"
_YARN = Rope(1e4, "yarn", 8.0, 32)

BUGS = (
    Bug("gpt2", "erf GELU for tanh", {"activation": "gelu"}),
    Bug("gpt2", "eps 1e-6 for 1e-5", {"norm_eps": 1e-6}, needs="default"),
    Bug("gpt2", "scores not divided", {"attention_scale": 1.0}),
    Bug("gpt2", "positions one too far", plant=_offset(1)),
    Bug("gpt2", "positions count the padding", patch={PLACES: _counted_through}),
    Bug("gpt2", "padding is seen", patch={PLACES: _unhidden}),
    Bug("gpt2", "the future is seen", plant=_sees_the_future),
    Bug("gpt2", "key and value swapped", plant=_swapped("key", "value")),
    Bug("gpt2", "a square matrix not turned", plant=_each("attention.output", _turned)),
    Bug("gpt2", "last norm left out", plant=_gone("norm")),
    Bug("gpt2", "post-LN for pre-LN", {"norm_place": "after"}),
    Bug("gpt2", "biases of the way up left out", plant=_biases("feed_forward.up")),
    Bug("llama", "pairs interleaved", patch={TURN: _interleaved}),
    Bug("llama", "turned backwards", patch={TURN: _backwards}),
    Bug("llama", "theta 5e5 for 1e4", {"rope": Rope(5e5)}),
    Bug("llama", "answering heads tiled", patch={ATTEND: _tiled}),
    Bug("llama", "eps 1e-6 for 1e-5", {"norm_eps": 1e-6}),
    Bug("llama", "layer norm for RMS norm", patch={"dragoman.nn.norms.rms_norm": _centred}),
    Bug("llama", "GELU for SiLU", {"activation": "gelu_tanh"}),
    Bug("llama", "gate and way up swapped", plant=_swapped("gate", "up")),
    Bug("llama", "padding is seen", patch={PLACES: _unhidden}),
    Bug("llama llama3", "not stretched", {"rope": Rope(5e5)}),
    Bug("llama llama3", "stretched as linear", {"rope": Rope(5e5, "linear", 8.0)}),
    Bug("llama llama3", "theta 1e4 for 5e5", {"rope": Rope(1e4, "llama3", 8.0, 32)}),
    Bug("llama llama3", "original length 8192", {"rope": Rope(5e5, "llama3", 8.0, 8192)}),
    Bug("llama linear", "not stretched", {"rope": Rope(1e4)}),
    Bug("llama yarn", "not stretched", {"rope": Rope(1e4)}),
    Bug("llama yarn", "attention not rescaled", {"rope": replace(_YARN, attention=1.0)}),
    Bug("llama yarn", "borders not rounded", {"rope": replace(_YARN, truncate=False)}),
    Bug("llama biases", "biases of attention left out", {"attention_bias": False}),
    Bug("llama biases", "bias of its output left out", {"output_bias": False}),
    Bug("llama biases", "biases of the feed-forward left out", {"feed_forward_bias": False}),
    Bug("mistral window", "no window", {"window": 0}),
    Bug("mistral window", "window one too long", {"window": 9}),
    Bug("qwen2", "biases left out", {"attention_bias": False}, needs="amplified"),
    Bug("qwen2", "eps 1e-5 for 1e-6", {"norm_eps": 1e-5}),
    Bug("qwen2 window", "window in every layer", {"windowed": ()}),
    Bug("qwen2 window", "no window", {"window": 0}),
    Bug("qwen3", "heads not normalised", {"head_norm": False}),
    Bug("qwen3", "gains of query and key swapped", plant=_swapped("query_norm", "key_norm")),
    Bug("qwen3", "scores divided by another width", {"attention_scale": 16**-0.5}),
    Bug("gemma", "gains not from 1", {"norm_shift": 0.0}),
    Bug("gemma", "words not scaled", {"embedding_scale": 1.0}),
    Bug("gemma", "erf GELU for tanh", {"activation": "gelu"}),
    Bug("gemma3_text", "no window", {"window": 0}),
    Bug("gemma3_text", "one speed of positions", {"window_rope": None}),
    Bug("gemma3_text", "windows in the other layers", {"windowed": (False, True, False, True)}),
    Bug("gemma3_text", "norm behind attention left out", plant=_each("blocks.1", _gone("attention_after"))),
    Bug("gemma3_text", "norm behind feed-forward left out", plant=_each("blocks.1", _gone("feed_forward_after"))),
    Bug("gemma3_text", "scores divided by the head's width", {"attention_scale": 0.0}),
    Bug("gemma3_text", "heads not normalised", {"head_norm": False}),
    Bug("bert", "tanh GELU for erf", {"activation": "gelu_tanh"}),
    Bug("bert", "eps 1e-5 for 1e-12", {"norm_eps": 1e-5}),
    Bug("bert", "token types left out", plant=_gone("encoder.embeddings.types")),
    Bug("bert", "norm of the head left out", plant=lambda net: setattr(net, "norm", nn.Identity())),
    Bug("bert", "no bend in the head", plant=lambda net: setattr(net, "bend", nn.Identity())),
    Bug("bert", "bias of the words left out", plant=lambda net: net.head.bias.data.zero_()),
    Bug("roberta", "positions from row 0", plant=_offset(-2)),
    Bug("roberta", "eps 1e-12 for 1e-5", {"norm_eps": 1e-12}),
    Bug("distilbert", "tanh GELU for erf", {"activation": "gelu_tanh"}),
    Bug("distilbert", "eps 1e-5 for 1e-12", {"norm_eps": 1e-5}),
    Bug("t5", "states not scaled for the words", {"logit_scale": 1.0}),
    Bug("t5", "eps 1e-5 for 1e-6", {"norm_eps": 1e-5}, needs="amplified"),
    Bug("t5", "no distances", plant=_no_relative),
    Bug("t5", "distances both ways in the decoder", plant=_decoder_both_ways),
    Bug("t5", "distances one way in the encoder", plant=_encoder_one_way),
    Bug("t5", "scores divided", {"attention_scale": 0.0}),
    Bug("t5", "a reach of 20 for 128", {"bucket_reach": 20}),
    Bug("t5", "the future is seen", plant=_sees_the_future),
    Bug("t5 gated", "erf GELU for tanh", {"activation": "gelu"}),
    Bug("t5 gated", "no gate", plant=_each("feed_forward", _gone("gate"))),
    Bug("t5 gated", "states scaled for the words", {"logit_scale": 0.125}),
    Bug("t5 gated", "head tied", plant=_tied),
    Bug("bart", "positions from row 0", plant=_offset(-2)),
    Bug("bart", "states not normalised at the entrance", plant=_gone("encoder.embeddings.norm")),
    Bug("bart", "bias of the words left out", plant=lambda net: net.decoder.head.bias.data.zero_()),
    Bug("bart", "eps 1e-12 for 1e-5", {"norm_eps": 1e-12}),
    Bug("bart", "words scaled", {"embedding_scale": 8.0}),
    Bug("bart", "tanh GELU for erf", patch={"dragoman.nn.blocks.functional.gelu": _tanh}),
    Bug("bart", "the other norm behind cross-attention", plant=_each("decoder", _norms_swapped)),
)  # fmt: skip


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Pair]]:
    """Each model once, however many bugs are planted in it."""
    made: dict[tuple[str, str], Pair] = {}

    def get(name: str, regime: str) -> Pair:
        if (name, regime) not in made:
            made[name, regime] = make_pair(name, regime, tmp_path_factory.mktemp("planted"))
        return made[name, regime]

    yield get
    made.clear()


def _with_bug(good: LanguageModel, bug: Bug) -> LanguageModel:
    wrong = build_lm(replace(good.arch, **bug.arch)).eval()
    wrong.load_state_dict(good.state_dict(), strict=False)  # a bias that is left out has no place
    with torch.no_grad():
        bug.plant(wrong)
    return wrong


@pytest.mark.parametrize("bug", BUGS, ids=[f"{one.case}: {one.name}" for one in BUGS])
def test_a_planted_bug_is_seen(bug: Bug, pair: Callable[[str, str], Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    given = batch(bug.case, padded=True)
    seen: dict[str, bool] = {}
    with ExitStack() as stack:
        stack.enter_context(quietly(bug.case))
        pairs = {regime: pair(bug.case, regime) for regime in REGIMES}
        expected = {regime: logits(one.theirs, given) for regime, one in pairs.items()}
        for regime, one in pairs.items():
            assert agree(logits(one.ours, given), expected[regime], regime)  # the control
        for place, other in bug.patch.items():
            monkeypatch.setattr(place, other)
        for regime, one in pairs.items():
            seen[regime] = not agree(logits(_with_bug(one.ours, bug), given), expected[regime], regime)
    assert any(seen.values())
    assert not bug.needs or seen[bug.needs]
