"""Where a token stands: attention alone sees a bag of words, so each position adds a vector of its own."""

from jaxtyping import Float
from torch import Tensor, nn

from dragoman.nn.arch import Arch

__all__ = ["LearnedPositions"]


class LearnedPositions(nn.Module):
    """A learned table with one row a position (BERT, Devlin et al. 2018).

    RoBERTa starts counting at row pad_id + 1 (a habit of fairseq): read from row 0, its logits are another model's.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.offset = arch.position_offset
        self.table = nn.Embedding(arch.positions, arch.width)

    def forward(self, length: int) -> Float[Tensor, "s w"]:
        """The rows of the first `length` positions. Padding stands on the right, so every text starts at the first."""
        rows: Tensor = self.table.weight[self.offset : self.offset + length]  # [s, w]
        return rows
