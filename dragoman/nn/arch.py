"""The shape of a transformer, whatever its publisher calls it: every number that is needed to build one."""

from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["ACTIVATIONS", "Arch"]

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "silu")

_LARGEST = 1 << 28  # beyond it, the size of a table no longer fits the numbers that count its bytes
_BELONG = "give a folder whose config.json was published with its weights in models.candidates"


@dataclass(frozen=True)
class Arch:
    """An encoder's shape. Two encoders with equal Arch have the same tensors, name by name.

    Raises UserError where the numbers cannot make a model (a width that the heads do not divide, a size below one).
    """

    family: str
    "which published architecture it is: bert, distilbert, roberta"
    vocabulary: int
    "rows of the table of words"
    width: int
    "numbers that describe one token, between blocks"
    layers: int
    "blocks"
    heads: int
    "attention heads a block; each sees width / heads numbers"
    feed_forward: int
    "width inside the feed-forward part, usually 4 x width"
    positions: int
    "rows of the table of positions; the first position_offset of them are never used"
    position_offset: int = 0
    "the row of the first token: 0, but pad_id + 1 in RoBERTa, which counts positions from there"
    token_types: int = 2
    "rows of the table of sentence A / sentence B; 0 where the family has none (DistilBERT)"
    norm_eps: float = 1e-12
    "what is added to the variance in layer norm; 1e-5 instead of 1e-12 moves BERT's logits by 1e-3"
    activation: str = "gelu"
    "gelu is the exact one (erf); gelu_tanh is the approximation: they are not the same model"
    dropout: float = 0.1
    "share of the states dropped in training"
    attention_dropout: float = 0.1
    "share of the attention weights dropped in training"
    head_dropout: float = 0.1
    "share of the states dropped in front of the classifier in training"
    head_activation: str = "tanh"
    "what stands between the two layers of the classification head: tanh, or relu in DistilBERT"
    head_drops_first: bool = False
    "whether the head also drops states in front of its first layer, as RoBERTa's does"
    pad_id: int = 0
    "the token that fills short rows"
    initial_std: float = 0.02
    "spread of fresh weights (BERT, Devlin et al. 2018)"

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "layers", "heads", "feed_forward", "positions"):
            if not 1 <= getattr(self, name) <= _LARGEST:
                raise UserError(f"a model with {name} = {getattr(self, name)} cannot be built", _BELONG)
        if self.width % self.heads:
            raise UserError(
                f"{self.heads} attention heads cannot share a width of {self.width}",
                _BELONG,
            )
        if not 0 <= self.pad_id < self.vocabulary:
            raise UserError(
                f"the padding token {self.pad_id} is outside a vocabulary of {self.vocabulary}",
                _BELONG,
            )
        if self.longest < 1:
            raise UserError(f"{self.positions} positions that start at {self.position_offset} are none", _BELONG)
        if self.activation not in ACTIVATIONS:
            raise UserError(f"there is no activation named '{self.activation}'", f"known: {', '.join(ACTIVATIONS)}")

    @property
    def longest(self) -> int:
        """The most tokens a text may have, special tokens included."""
        return self.positions - self.position_offset

    def require(self, length: int) -> None:
        """Raise UserError where a text of `length` tokens has no position left to stand on."""
        if length > self.longest:
            raise UserError(
                f"max_length is {length} tokens, but this model has positions for {self.longest}",
                f"read less: models.max_length={self.longest}, or choose another model in models.candidates",
            )
