"""A long text in a card: its beginning, the rest that can be unfolded, and how much is not shown at all."""

from dragoman.report.numbers import whole
from dragoman.report.text import cut

__all__ = ["passage"]

# What stands in the card, and what can be unfolded below it.
_SHOWN, _UNFOLDED = 480, 20_000


def passage(text: str) -> dict[str, object]:
    """The text as the macro of the same name prints it."""
    shown, left = cut(text, _SHOWN)
    rest, lost = cut(text[_SHOWN:], _UNFOLDED)
    return {
        "text": shown,
        "rest": rest,
        "left": f"{whole(left)} more characters" if left else "",
        "lost": f"{whole(lost)} more characters are not shown" if lost else "",
    }
