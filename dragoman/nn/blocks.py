"""One floor of the transformer: attention mixes the tokens, the feed-forward part thinks about each of them alone."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from dragoman.nn.arch import Arch
from dragoman.nn.attention import Attention

__all__ = ["Block", "FeedForward"]


def _gelu_tanh(states: Tensor) -> Tensor:
    return functional.gelu(states, approximate="tanh")


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    known: dict[str, Callable[[Tensor], Tensor]] = {
        "gelu": functional.gelu,
        "gelu_tanh": _gelu_tanh,
        "relu": functional.relu,
        "silu": functional.silu,
    }
    return known[name]


class FeedForward(nn.Module):
    """Up to a wider space, a bend, and down again; the same for every token."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.up = nn.Linear(arch.width, arch.feed_forward)
        self.down = nn.Linear(arch.feed_forward, arch.width)
        self.bend = _activation(arch.activation)

    def forward(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b s w"]:
        """The states after thinking about each token alone."""
        wide = self.bend(self.up(states))  # [b, s, f]
        narrow: Tensor = self.down(wide)  # [b, s, w]
        return narrow


class Block(nn.Module):
    """Attention and feed-forward, each added to what came in, then normalised (post-LN, Vaswani et al. 2017)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.attention = Attention(arch)
        self.attention_norm = nn.LayerNorm(arch.width, eps=arch.norm_eps)
        self.feed_forward = FeedForward(arch)
        self.feed_forward_norm = nn.LayerNorm(arch.width, eps=arch.norm_eps)
        self.dropout = nn.Dropout(arch.dropout)

    def forward(
        self,
        states: Float[Tensor, "b s w"],
        visible: Bool[Tensor, "b 1 1 s"] | None = None,
        wanted: int | None = None,
    ) -> Float[Tensor, "b q w"]:
        """The states one floor up; the first `wanted` positions alone where that is all the next step reads."""
        learnt = self.attention(states, visible, wanted)  # [b, q, w]
        kept = states if wanted is None else states[:, :wanted]  # [b, q, w]
        states = self.attention_norm(kept + self.dropout(learnt))  # [b, q, w]
        thought = self.feed_forward(states)  # [b, q, w]
        above: Tensor = self.feed_forward_norm(states + self.dropout(thought))  # [b, q, w]
        return above
