"""The vector of a token before any context: its word, its place and its sentence, added up."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.norms import make_norm
from dragoman.nn.positions import LearnedPositions, sinusoids
from dragoman.nn.prompted import Layout

__all__ = ["Embeddings"]


class Embeddings(nn.Module):
    """From ids to the states that enter the first block. Rotary and relative positions are told to attention instead.

    `words` is the table to share where two stacks read the same words (T5, BART).
    """

    def __init__(self, arch: Arch, words: nn.Embedding | None = None) -> None:
        super().__init__()
        self.words = words if words is not None else nn.Embedding(arch.vocabulary, arch.width)
        self.positions = LearnedPositions(arch) if arch.position == "learned" else None
        self.waves = arch.position == "sinusoidal"
        # BERT adds the row of "sentence A" to every token, even of a single sentence: without it the logits move.
        self.types = nn.Embedding(arch.token_types, arch.width) if arch.token_types else None
        self.norm = make_norm(arch) if arch.embedding_norm else None
        self.scale = arch.embedding_scale
        self.dropout = nn.Dropout(arch.dropout)

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        places: Int[Tensor, "_ n"],
        types: Int[Tensor, "b s"] | None = None,
        laid: Layout | None = None,
    ) -> Float[Tensor, "b n w"]:
        """The states of the tokens `ids` that stand at `places` (one row of places serves all texts).

        `types` say which sentence each token is of; without them all are of the first. `laid` puts learnt vectors in
        front of each text, places for which are given with the others. Raises ValueError where the model does not tell
        sentences apart.
        """
        states: Tensor = self.words(ids)  # [b, s, w]
        if self.scale != 1.0:
            states = states * self.scale  # [b, s, w]
        states = states if laid is None else laid.widen(states)  # [b, n, w]
        place = self.positions(places) if self.positions is not None else None  # [b, s, w]
        if self.waves:
            place = sinusoids(places, states.shape[-1]).to(states.dtype)  # [b, s, w]
        if types is not None and self.types is None:
            raise ValueError("this model does not tell sentences apart: it takes no types")
        if self.types is not None:
            sentence = self.types.weight[0] if types is None else self.types(types)  # [w] or [b, s, w]
            place = sentence if place is None else place + sentence  # [b, s, w]
        if place is not None:
            states = states + place  # [b, s, w]
        if self.norm is not None:
            states = self.norm(states)  # [b, s, w]
        dropped: Tensor = self.dropout(states)  # [b, s, w]
        return dropped
