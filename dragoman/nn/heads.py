"""From the meaning of a text to a label: the classification head, and an encoder with a head on it."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.encoder import Encoder

__all__ = ["Classifier", "Head"]


class Head(nn.Module):
    """Two layers over the first token's state. The published families differ in two details only, which Arch holds:

    BERT       tanh, dropout                (its `pooler` and `classifier`)
    RoBERTa    dropout, tanh, dropout       (its `classifier.dense` and `classifier.out_proj`)
    DistilBERT relu, dropout                (its `pre_classifier` and `classifier`)
    """

    def __init__(self, arch: Arch, labels: int) -> None:
        super().__init__()
        self.relu = arch.head_activation == "relu"
        self.before = nn.Dropout(arch.head_dropout if arch.head_drops_first else 0.0)
        self.dense = nn.Linear(arch.width, arch.width)
        self.after = nn.Dropout(arch.head_dropout)
        self.out = nn.Linear(arch.width, labels)

    def forward(self, first: Float[Tensor, "b w"]) -> Float[Tensor, "b labels"]:
        """One number a label, before softmax or sigmoid. `first` is what `Encoder.first` gives."""
        bent = self.dense(self.before(first))  # [b, w]
        bent = bent.relu() if self.relu else bent.tanh()  # [b, w]
        logits: Tensor = self.out(self.after(bent))  # [b, labels]
        return logits


class Classifier(nn.Module):
    """An encoder with a head. One label of many (softmax), or `multi_label`: each holds or does not (sigmoid)."""

    def __init__(self, encoder: Encoder, head: Head, labels: tuple[str, ...], multi_label: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.labels = labels
        self.multi_label = multi_label
        self.fresh: tuple[str, ...] = ()
        "tensors that were not in the folder it was loaded from and are new (filled by nn.store); () when all were"
        self.unused: tuple[str, ...] = ()
        "tensors of that folder that a classifier has no use for, by their published names"

    @property
    def arch(self) -> Arch:
        """The shape of the encoder."""
        return self.encoder.arch

    def forward(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None = None) -> Float[Tensor, "b labels"]:
        """One number a label for each text. `mask` as in `Encoder.forward`."""
        logits: Tensor = self.head(self.encoder.first(ids, mask))  # [b, labels]
        return logits
