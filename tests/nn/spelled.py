"""Small vocabularies for tests of constraints, each token by its bytes."""

from collections.abc import Iterable, Sequence
from functools import cached_property

__all__ = ["Words"]


class Words:
    """A vocabulary as a constraint wants it; token 0 ends a text unless told otherwise."""

    def __init__(self, tokens: Iterable[bytes], ends: Iterable[int] = (0,), controls: Iterable[int] = ()) -> None:
        self.tokens = list(tokens)
        self.eos_ids = frozenset(ends)
        self.control_ids = frozenset(controls)
        self.unknown_id: int | None = None

    @property
    def size(self) -> int:
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[bytes, int]:
        return {piece: token for token, piece in enumerate(self.tokens)}

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        return [self.tokens[token] for token in ids]
