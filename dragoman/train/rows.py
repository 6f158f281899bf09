"""The table of words learns only in the rows that stand in the training texts: no other row ever gets a gradient.

Left whole, AdamW would walk through 30,522 rows a step to change a few thousand, and weight decay would shrink the
words that were never seen. TREC uses 8,000 of BERT's rows: three quarters less to optimise and in every checkpoint.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dragoman.nn.heads import Headed

__all__ = ["SeenWords", "fold", "thin"]

WORTH_IT = 0.9


class SeenWords(nn.Module):
    """An embedding whose `rows` learn and whose other rows stay as they are."""

    def __init__(self, table: nn.Embedding, used: Int[Tensor, " u"]) -> None:
        super().__init__()
        self.table = table.requires_grad_(False)
        self.used: Tensor
        self.slot: Tensor
        slot = torch.full((table.num_embeddings,), -1, dtype=torch.long)
        slot[used.cpu()] = torch.arange(len(used))
        self.register_buffer("used", used.to(table.weight.device), persistent=False)
        self.register_buffer("slot", slot.to(table.weight.device), persistent=False)
        self.rows = nn.Parameter(table.weight.detach()[self.used].clone())

    def forward(self, ids: Int[Tensor, "b s"]) -> Float[Tensor, "b s w"]:
        """The vector of each token. In training every token must be one of those that learn."""
        slot = self.slot[ids]  # [b, s]
        if self.training:
            return functional.embedding(slot, self.rows)  # [b, s, w]
        learnt = functional.embedding(slot.clamp(min=0), self.rows)  # [b, s, w]
        return torch.where((slot >= 0)[:, :, None], learnt, self.table(ids))


def thin(net: Headed, used: Iterable[int]) -> None:
    """Let the table of words learn only in the rows `used`, where it learns at all and they are much fewer."""
    words = net.encoder.embeddings.words
    rows = torch.tensor(sorted(set(used)), dtype=torch.long)
    if words.weight.requires_grad and len(rows) < WORTH_IT * words.num_embeddings:
        net.encoder.embeddings.words = SeenWords(words, rows).train(words.training)  # type: ignore[assignment]


def fold(net: nn.Module) -> None:
    """Write the learnt rows back into the table, which stands in its old place again; another net stays as it is."""
    if isinstance(net, Headed) and isinstance(words := net.encoder.embeddings.words, SeenWords):
        with torch.no_grad():
            words.table.weight[words.used] = words.rows
        net.encoder.embeddings.words = words.table.requires_grad_(True)
