"""Review in the terminal: one request after the other, each decided before the next is shown; piped lines do too."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dragoman.core.show import Show, visible
from dragoman.data.collected import Review
from dragoman.stages.collect_items import Item, label_of

__all__ = ["decided", "keys_of"]

END = "."


def keys_of(labels: Sequence[str], labelled: bool) -> str:
    """What may be typed."""
    right = "l LABEL the right label" if labelled else "e TEXT the right answer (e alone: lines, . ends them)"
    known = f" ({', '.join(f'{number} {label}' for number, label in enumerate(labels, 1))})" if labelled else ""
    return f"a accept, {right}{known}, s skip, q leave"


def decided(items: Sequence[Item], labels: Sequence[str], labelled: bool, show: Show) -> Iterator[Review]:
    """Each item as it was decided, until all are or the lines end; what is not decided is shown the next time."""
    keys = keys_of(labels, labelled)
    show.say(f"keys: {keys}")
    for number, item in enumerate(items, 1):
        _draw(item, f"{number} of {len(items)}", show)
        review = _decide(item.review, labels, labelled, keys, show)
        if review is None:
            return
        yield review


def _decide(review: Review, labels: Sequence[str], labelled: bool, keys: str, show: Show) -> Review | None:
    """What was decided of one; None where the lines end, or somebody leaves."""
    for line in sys.stdin:
        key, _, rest = line.strip().partition(" ")
        if key == "q":
            return None
        if key == "s":
            return replace(review, decision="skip")
        if key == "a":
            return review
        if key == "e" and not labelled:
            text = rest.strip() or _lines(show)
            if text:
                return replace(review, right=(text,))
        elif key == "l" and labelled:
            if named := label_of(rest, labels):
                return replace(review, right=named)
            show.say(f"{visible(rest) or 'nothing'} is no label here: {', '.join(labels)}")
            continue
        show.say(f"keys: {keys}")
    return None


def _lines(show: Show) -> str:
    """A text of several lines."""
    show.say("write the right answer; a line with a single . ends it")
    found = []
    for line in sys.stdin:
        if line.strip() == END:
            break
        found.append(line)
    return "".join(found).strip()


def _draw(item: Item, place: str, show: Show) -> None:
    """The request as it stands: what was asked, what was answered, what is right as far as it is known."""
    from rich import box
    from rich.panel import Panel
    from rich.text import Text

    review = item.review
    show.say(f"{place}: {review.why}, {review.asked}, {visible(review.run or review.model)}")
    for message in review.prompt:
        title = Text(visible(message.role))
        show.draw(Panel(Text(visible(message.content)), title=title, title_align="left", box=box.SIMPLE))
    told = [("answered", ", ".join(review.given), "red"), ("right", ", ".join(review.right), "green")]
    for name, text, colour in (*told, ("comment", item.comment, "cyan")):
        if text:
            show.draw(Panel(Text(visible(text)), title=name, title_align="left", border_style=colour))
    if not review.right:
        show.say("no right answer is known: a says only that the given one is wrong")
