"""Reads what `dragoman export app` wrote: the settings of its server, and models that lie beside the run's own."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.core.config import build, read_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["BESIDE", "SERVE", "filled", "is_exported", "placed"]

SERVE = "serve.toml"
"the settings of the server, in the folder of an exported app"
BESIDE = "beside:"
"how a card names a model that was copied beside the run's own: its folder may then lie anywhere"

T = TypeVar("T", bound="DataclassInstance")


def is_exported(folder: Path) -> bool:
    """Whether a folder holds an exported app."""
    return (folder / SERVE).is_file() and (folder / "runs").is_dir()


def filled(settings: T, word: str) -> T:
    """The settings of `dragoman serve` for the app in the folder `word`; any other word leaves them as they are.

    What was given stays, and what stands at its default is as the app's file says. Raises UserError where that file
    holds no settings of a server.
    """
    folder = Path(word)
    if not word or not is_exported(folder):
        return settings
    kind = type(settings)
    said = build(kind, read_toml(folder / SERVE))
    plain = kind()
    taken = {
        one.name: getattr(said, one.name)
        for one in fields(settings)
        if getattr(settings, one.name) == getattr(plain, one.name)
    }
    return replace(settings, **taken | {"run": getattr(said, "run", ""), "runs": str(folder / "runs")})


def placed(card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A card in which models beside its own are named by where they lie now; `folder` holds the card."""
    return {name: _placed(value, folder.parent) for name, value in card.items()}


def _placed(value: Any, root: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _placed(one, root) for name, one in value.items()}
    if isinstance(value, str) and value.startswith(BESIDE):
        return str((root / value.removeprefix(BESIDE)).resolve())
    return value
