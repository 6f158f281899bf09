"""Reads what `dragoman export app` wrote: the settings of its server, and models that lie beside the run's own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dragoman.core.config import merge, read_toml

__all__ = ["BESIDE", "SERVE", "is_exported", "laid", "placed"]

SERVE = "serve.toml"
"the settings of the server, in the folder of an exported app"
BESIDE = "beside:"
"how a card names a model that was copied beside the run's own: its folder may then lie anywhere"


def is_exported(folder: Path) -> bool:
    """Whether a folder holds an exported app."""
    return (folder / SERVE).is_file() and (folder / "runs").is_dir()


def laid(given: Mapping[str, Any]) -> dict[str, Any]:
    """The table of settings of `dragoman serve` with what was given laid over the app's file, setting by setting.

    Any `run` that is no exported app leaves the table as it is. Raises UserError where the file is no TOML.
    """
    folder = Path(str(given.get("run") or ""))
    if not given.get("run") or not is_exported(folder):
        return dict(given)
    said = read_toml(folder / SERVE)
    table = dict(said)
    for path, value in _settings(given):
        table = merge(table, path, value)
    return table | {"run": said.get("run", ""), "runs": str(folder / "runs")}


def _settings(table: Mapping[str, Any], within: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting of a table of tables, with its path."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _settings(value, (*within, name))
        else:
            yield (*within, name), value


def placed(card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A card in which models beside its own are named by where they lie now; `folder` holds the card."""
    return {name: _placed(value, folder.parent) for name, value in card.items()}


def _placed(value: Any, root: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _placed(one, root) for name, one in value.items()}
    if isinstance(value, str) and value.startswith(BESIDE):
        return str((root / value.removeprefix(BESIDE)).resolve())
    return value
