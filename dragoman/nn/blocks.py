"""One floor of the transformer: attention mixes the tokens, the feed-forward part thinks about each of them alone."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dragoman.nn.arch import Arch
from dragoman.nn.attention import Attention, Sight
from dragoman.nn.cache import LayerCache
from dragoman.nn.norms import make_norm
from dragoman.nn.slots import LayerSlots

__all__ = ["Block", "FeedForward", "activation_of"]


def _gelu_tanh(states: Tensor) -> Tensor:
    return functional.gelu(states, approximate="tanh")


def activation_of(name: str) -> Callable[[Tensor], Tensor]:
    """The bend of that name, one of arch.ACTIVATIONS."""
    known: dict[str, Callable[[Tensor], Tensor]] = {
        "gelu": functional.gelu,
        "gelu_tanh": _gelu_tanh,
        "relu": functional.relu,
        "silu": functional.silu,
    }
    return known[name]


class FeedForward(nn.Module):
    """Up to a wider space, a bend, and down again; the same for every token.

    Gated (GEGLU, SwiGLU; Shazeer 2020), a second way up decides how much of the first passes.
    """

    def __init__(self, arch: Arch, wide: int = 0) -> None:
        super().__init__()
        wide, bias = wide or arch.feed_forward, arch.feed_forward_bias
        self.gate = nn.Linear(arch.width, wide, bias=bias) if arch.gated else None
        self.up = nn.Linear(arch.width, wide, bias=bias)
        self.down = nn.Linear(wide, arch.width, bias=bias)
        self.bend = activation_of(arch.activation)
        # T5 drops numbers inside too, and drops nothing else that post-LN encoders drop.
        self.dropout = nn.Dropout(arch.dropout if arch.family == "t5" else 0.0)
        self.joint: nn.Module | None = None

    def forward(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b s w"]:
        """The states after thinking about each token alone."""
        if self.joint is not None:
            gate, up = self.joint(states).chunk(2, dim=-1)  # [b, s, f] twice
            wide = self.bend(gate) * up  # [b, s, f]
        elif self.gate is not None:
            wide = self.bend(self.gate(states)) * self.up(states)  # [b, s, f]
        else:
            wide = self.bend(self.up(states))  # [b, s, f]
        narrow: Tensor = self.down(self.dropout(wide) if self.training else wide)  # [b, s, w]
        return narrow

    def fuse(self) -> None:
        """One matrix for the gate and the way up, for a model that only answers. The two are gone after."""
        if self.gate is None:
            return
        joint = nn.Linear(self.up.in_features, 2 * self.up.out_features, bias=self.up.bias is not None)
        with torch.no_grad():
            joint.weight = nn.Parameter(torch.cat((self.gate.weight, self.up.weight)))
            if joint.bias is not None:
                joint.bias = nn.Parameter(torch.cat((self.gate.bias, self.up.bias)))
        self.joint = joint
        del self.gate, self.up


class Block(nn.Module):
    """Attention and feed-forward, each added to what came in.

    Normalised after the sum (post-LN, Vaswani et al. 2017), before each half (pre-LN, GPT-2), or around it (before the
    half and once more before the sum, Gemma 3). With `crossed`, a second attention in between reads another text.
    """

    def __init__(self, arch: Arch, crossed: bool = False, wide: int = 0) -> None:
        super().__init__()
        self.place = arch.norm_place
        around = arch.norm_place == "around"
        self.attention = Attention(arch)
        self.attention_norm = make_norm(arch)
        self.attention_after = make_norm(arch) if around else None
        self.cross = Attention(arch) if crossed else None
        self.cross_norm = make_norm(arch) if crossed else None
        self.feed_forward = FeedForward(arch, wide)
        self.feed_forward_norm = make_norm(arch)
        self.feed_forward_after = make_norm(arch) if around else None
        self.dropout = nn.Dropout(arch.dropout)

    def forward(
        self,
        states: Float[Tensor, "b s w"],
        sight: Sight,
        wanted: int | None = None,
        cache: LayerCache | LayerSlots | None = None,
        source: Float[Tensor, "b t w"] | None = None,
        source_sight: Sight | None = None,
        source_cache: LayerCache | LayerSlots | None = None,
    ) -> Float[Tensor, "b q w"]:
        """The states one floor up; the first `wanted` positions alone where that is all the next step reads."""
        before = self._before(self.attention_norm, states)  # [b, s, w]
        learnt: Tensor = self.attention(before, sight, wanted, cache)  # [b, q, w]
        kept = states if wanted is None else states[:, :wanted]  # [b, q, w]
        states = self._add(kept, learnt, self.attention_norm, self.attention_after)  # [b, q, w]
        if self.cross is not None and self.cross_norm is not None:
            before = self._before(self.cross_norm, states)  # [b, q, w]
            learnt = self.cross(before, source_sight or Sight(), cache=source_cache, source=source)  # [b, q, w]
            states = self._add(states, learnt, self.cross_norm, None)  # [b, q, w]
        thought: Tensor = self.feed_forward(self._before(self.feed_forward_norm, states))  # [b, q, w]
        return self._add(states, thought, self.feed_forward_norm, self.feed_forward_after)  # [b, q, w]

    def _before(self, norm: nn.Module, states: Tensor) -> Tensor:
        if self.place == "after":
            return states
        normed: Tensor = norm(states)  # [b, s, w]
        return normed

    def _add(self, states: Tensor, new: Tensor, norm: nn.Module, after: nn.Module | None) -> Tensor:
        """The sum of what came in and what was learnt, with the norms that stand behind the half."""
        if after is not None:
            new = after(new)  # [b, q, w]
        total = states + (self.dropout(new) if self.training else new)  # [b, q, w]
        if self.place != "after":
            return total
        normed: Tensor = norm(total)  # [b, q, w]
        return normed
