"""A question and its context as an extractor reads them: one row a window, and where in the context each token is."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Int
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.windows import spread

__all__ = ["QUESTION", "Pairing", "Passage", "read_passages", "split_prompt", "token_span"]

QUESTION = 64
"the most tokens of a question that are read, as in BERT's run on SQuAD"

_ROOM = "give it more: models.max_length=384"


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a model wants two texts to stand in one row: what is in front of, between and behind them.

    `types` says whether it tells the two apart by a row of its own for each (BERT's sentence A and B).
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, arch: Arch) -> "Pairing":
        """That of a model. Raises UserError where its tokenizer puts nothing between two texts."""
        before, between, after = tokenizer.pair
        if not before or not between:
            raise UserError(
                "this model's tokenizer does not say how a question and its context stand in one row",
                "choose another model in models.candidates, such as builtin:minilm",
            )
        return cls(before, between, after, arch.token_types > 1)

    def second(self, ids: Int[Tensor, "b s"]) -> Int[Tensor, "b s"] | None:
        """1 on everything behind what stands between the texts, 0 before; None where the model has no such rows.

        It is told by the separators themselves, which no text can hold.
        """
        return self._behind(ids).long() if self.types else None

    def allowed(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None) -> Bool[Tensor, "b s"]:
        """Where an answer may begin and end: in the context, or on the first token, which says that it is not here."""
        seen = self._behind(ids) & (ids != self.between[-1])  # [b, s]
        for number in self.after:
            seen = seen & (ids != number)  # [b, s]
        seen = seen if mask is None else seen & mask  # [b, s]
        seen[:, 0] = True
        return seen

    def _behind(self, ids: Int[Tensor, "b s"]) -> Bool[Tensor, "b s"]:
        parting = ids == self.between[-1]  # [b, s]
        count = (*self.before, *self.between).count(self.between[-1])
        return parting.cumsum(1) - parting.long() >= count


@dataclass(frozen=True, slots=True)
class Passage:
    """A question with one window of its context: the row, and the characters of the context that each token is.

    Token i of the window stands at `ids[start + i]`, is token `first + i` of the whole context and `spans[i]` of its
    characters.
    """

    ids: tuple[int, ...]
    start: int
    first: int
    spans: tuple[tuple[int, int], ...]


def split_prompt(text: str) -> tuple[str, str]:
    """The context and the question of a text. Raises UserError where it has no two paragraphs."""
    context, gap, question = text.rpartition("\n\n")
    if not gap or not context.strip() or not question.strip():
        raise UserError(
            "a text to be answered from is a context, an empty line and the question",
            "write the question as the last paragraph; look at the data with: dragoman check",
        )
    return context, question


def read_passages(
    tokenizer: Tokenizer, pairing: Pairing, asked: Sequence[tuple[str, str]], max_length: int
) -> list[list[Passage]]:
    """The windows of each (context, question), of at most `max_length` tokens with the special ones.

    A question is cut at 64 tokens, or half of the row. Raises UserError where no room is left for the context.
    """
    given = max_length - len(pairing.before) - len(pairing.between) - len(pairing.after)
    if given < 2:
        raise UserError(f"max_length {max_length} leaves no room for a context", _ROOM)
    located = tokenizer.locate([context for context, _ in asked])
    questions = tokenizer.plain([question for _, question in asked])
    found = []
    for (ids, spans), whole in zip(located, questions, strict=True):
        question = whole[: min(QUESTION, given // 2)]
        head = (*pairing.before, *question, *pairing.between)
        windows = []
        for window in spread(len(ids), given - len(question)):
            row = (*head, *ids[window.first : window.last], *pairing.after)
            windows.append(Passage(row, len(head), window.first, tuple(spans[window.first : window.last])))
        found.append(windows)
    return found


def token_span(spans: Sequence[tuple[int, int]], begin: int, end: int) -> tuple[int, int] | None:
    """The first and last token that hold some of the characters from `begin` to `end`; None where none does."""
    held = [token for token, (one, other) in enumerate(spans) if one < end and other > begin and one < other]
    return (held[0], held[-1]) if held else None
