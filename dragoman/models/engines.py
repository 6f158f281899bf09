"""From the name of a model to an engine that serves it: ours where steps can be shared, its own, or turns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dragoman.core.doors import Engine, WritingLM
from dragoman.core.errors import UserError
from dragoman.models.adapters import AdaptedLM
from dragoman.models.by_turns import ByTurns
from dragoman.models.engine import LocalEngine
from dragoman.models.local import LocalLM
from dragoman.models.open import WeightsOrAuto, open_adapted, open_lm
from dragoman.models.remote import RemoteLM
from dragoman.models.remote_engine import RemoteEngine
from dragoman.nn.decoder import Decoder

__all__ = ["Kind", "engine_of", "open_engine"]

Kind = Literal["auto", "ours", "turns", "openvino"]


def engine_of(lm: WritingLM | AdaptedLM, kind: Kind = "auto", rows: int = 0) -> Engine:
    """An engine for a model that is open. Raises UserError where it cannot be had so."""
    if kind == "openvino":
        raise UserError("engine=openvino reads a model's own folder", "serve it by its folder, or say engine=auto")
    if isinstance(lm, AdaptedLM):
        return LocalEngine(lm, rows)
    if isinstance(lm, LocalLM) and kind != "turns":
        net = lm.net
        if kind == "ours" or (isinstance(net, Decoder) and net.front is None):
            return LocalEngine(lm, rows)
    if isinstance(lm, RemoteLM) and kind == "auto":
        return RemoteEngine(lm, rows)
    if kind == "ours":
        raise UserError("this model is none that shares its steps", "say engine=auto")
    return ByTurns(lm, rows) if rows else ByTurns(lm)


def open_engine(
    spec: str | Path,
    adapters: Sequence[Path] = (),
    *,
    device: str = "auto",
    precision: WeightsOrAuto = "auto",
    kind: Kind = "auto",
    rows: int = 0,
    room: int = 0,
) -> tuple[Engine, WritingLM]:
    """The engine of a model, with adapters beside it where some are given, and the model itself. `room` is the rank of
    the thickest adapter that may come later; 0 where none will.

    Raises UserError as `open_lm`, `open_adapted`, `engine_of` and `open_openvino`.
    """
    if kind == "openvino":
        from dragoman.models.openvino_engine import open_openvino

        if adapters or room or device not in ("auto", "cpu") or precision not in ("auto", "int8"):
            raise UserError("engine=openvino runs a model alone, on the CPU, in int8", "say engine=ours")
        return open_openvino(spec, rows)
    if adapters or room:
        adapted = open_adapted(spec, adapters, device, precision, rank=room)
        return engine_of(adapted, kind, rows), adapted.of()
    lm = open_lm(spec, device, precision)
    return engine_of(lm, kind, rows), lm
