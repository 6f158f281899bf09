"""The objective that another one stands on: sft or seq2seq, whichever learns the model at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.objectives.seq2seq import Seq2seq
    from dragoman.train.objectives.sft import Sft

__all__ = ["Cut", "Of", "check_kind", "inner"]

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
