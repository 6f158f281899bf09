"""What soft prompts and prefixes share: the bounds of their settings, and where they begin."""

from typing import Any

from dragoman.core.errors import UserError

__all__ = ["check_front", "first_ids"]


def check_front(tokens: int, begin: tuple[int, ...], text: str) -> None:
    """Raise UserError where the settings put nothing in front of a text, or say twice where to begin."""
    if tokens < 1:
        raise UserError(f"tokens cannot be {tokens}", "it must be 1 or more: tuning.tokens=20")
    if text and begin:
        raise UserError("both tuning.text and tuning.begin say where to begin", "leave one of them out")


def first_ids(begin: tuple[int, ...], text: str, tokenizer: Any) -> tuple[int, ...]:
    """The token ids to begin from: those of the text, where there is one. Raises UserError where it has no words."""
    from dragoman.train.prompts import ids_of

    return ids_of(text, tokenizer) if text else begin
