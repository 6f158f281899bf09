"""From states to answers: the heads for a whole text, for its words and for a span in it, and encoders with them."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.encoder import Encoder

__all__ = ["Classifier", "Extractor", "Head", "Headed", "Tagger", "TokenHead"]


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


class TokenHead(nn.Module):
    """One layer over the state of every token: dropout, then a number for each answer."""

    def __init__(self, arch: Arch, answers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.before = nn.Dropout(dropout)
        self.out = nn.Linear(arch.width, answers)

    def forward(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b s answers"]:
        """The numbers of every token, before softmax."""
        logits: Tensor = self.out(self.before(states))  # [b, s, answers]
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


class Tagger(nn.Module):
    """An encoder that gives each token one tag of many. A word's tag is that of its first token (BERT, section 5.3).

    Its head drops as much as a classifier's (Arch.head_dropout); DistilBERT's published tagger drops 0.1 where its
    classifier drops 0.2, which only training feels.
    """

    def __init__(self, encoder: Encoder, head: TokenHead, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.labels = labels
        self.fresh: tuple[str, ...] = ()
        "tensors that were not in the folder it was loaded from and are new (filled by nn.headed)"
        self.unused: tuple[str, ...] = ()
        "tensors of that folder that a tagger has no use for, by their published names"

    @property
    def arch(self) -> Arch:
        """The shape of the encoder."""
        return self.encoder.arch

    def forward(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None = None) -> Float[Tensor, "b s labels"]:
        """One number a tag for every token. `mask` as in `Encoder.forward`."""
        logits: Tensor = self.head(self.encoder(ids, mask))  # [b, s, labels]
        return logits


class Extractor(nn.Module):
    """An encoder that says of each token whether the answer begins there and whether it ends there (BERT, 4.2)."""

    def __init__(self, encoder: Encoder, head: TokenHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.fresh: tuple[str, ...] = ()
        "tensors that were not in the folder it was loaded from and are new (filled by nn.headed)"
        self.unused: tuple[str, ...] = ()
        "tensors of that folder that an extractor has no use for, by their published names"

    @property
    def arch(self) -> Arch:
        """The shape of the encoder."""
        return self.encoder.arch

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        types: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s 2"]:
        """Two numbers a token, start and end. `types` tell the question (0) from its context (1); see `Encoder`."""
        logits: Tensor = self.head(self.encoder(ids, mask, types=types))  # [b, s, 2]
        return logits


Headed = Classifier | Tagger | Extractor
"""What is built of an encoder and a head, `.encoder` and `.head`."""
