"""What sft and seq2seq share, and the objectives that stand on one of them, whichever learns the model at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.core.types import Example
    from dragoman.train.objectives.seq2seq import Seq2seq
    from dragoman.train.objectives.sft import Sft

__all__ = ["Cut", "Of", "check_kind", "inner", "named", "none_left", "worded"]

Of = Literal["sft", "seq2seq"]
Cut = Literal["", "left", "right", "drop"]
_OWN = {"sft": ("turns", "replay"), "seq2seq": ("smoothing",)}  # settings that the other one has not
_PLAIN = {"turns": "every", "replay": 0.0, "smoothing": 0.0}  # what they are where they were not given


def inner(of: Of, cut: Cut, settings: Mapping[str, Any]) -> Sft | Seq2seq:
    """The objective with these settings; no `cut` takes its own. Raises UserError where it has no such setting."""
    from dragoman.train.objectives.seq2seq import Seq2seq
    from dragoman.train.objectives.sft import Sft

    foreign = [name for other, names in _OWN.items() if other != of for name in names]
    for name in foreign:
        if settings.get(name, _PLAIN[name]) != _PLAIN[name]:
            raise UserError(f"{of} has no setting '{name}'", f"leave objective.{name} out")
    given = {name: value for name, value in settings.items() if name not in foreign}
    kind: Any = Sft if of == "sft" else Seq2seq
    found: Sft | Seq2seq = kind(**given, **({"cut": cut} if cut else {}))
    return found


def check_kind(objective: Sft | Seq2seq, net: Any) -> None:
    """Raise UserError where the objective is not the one for this kind of model."""
    if net.arch.kind != objective.kind:
        wanted = "seq2seq" if net.arch.kind == "encoder-decoder" else "sft"
        raise UserError(f"the model is of kind {net.arch.kind}, not {objective.kind}", f"say objective.of={wanted}")


def worded(example: Example) -> bool:
    """Whether it has an answer, and a word in it: a blank one would teach to stop at once."""
    return bool(example.answers) and bool(example.answers[0].strip())


@contextmanager
def named(example: Example, row: int) -> Iterator[str]:
    """The name of an example, which stands in front of what is wrong with it. What ends no answer is wrong with the
    model, whichever example is read."""
    name = str(example.meta.get("id", f"row {row}"))
    try:
        yield name
    except UserError as error:
        if error.problem.startswith("stop-token-untrained"):
            raise
        raise UserError(f"example {name}: {error.problem}", error.hint) from None


def none_left(count: int, room: int) -> UserError:
    """What is said where no example of `count` can be learnt."""
    return UserError(
        f"labels-all-masked: of {count} examples none has an answer within {room} tokens",
        "give them more room: train.max_length=1024, or look at the data with dragoman check",
    )
