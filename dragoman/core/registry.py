"""Plug-ins found by file name: a file dropped in a folder is the plug-in, and its one frozen dataclass holds its
settings.

`Registry("dragoman.train.tuning", "tuning")` knows `lora` because dragoman/train/tuning/lora.py exists and holds the
class `Lora`. Another package adds one through the entry point group `dragoman.tuning`. Listing the names imports
nothing.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any

from dragoman.core.config import build, nearest
from dragoman.core.errors import UserError

__all__ = ["Registry"]


@cache
def _outside(noun: str) -> dict[str, EntryPoint]:
    """What other packages add, looked up once: a look reads every installed package, 8 ms where 110 are."""
    return {point.name: point for point in entry_points(group=f"dragoman.{noun}")}


@cache
def _names(package: str, noun: str) -> tuple[str, ...]:
    own = {entry.name[:-3] for entry in files(package).iterdir() if entry.name.endswith(".py")}
    return tuple(sorted(name for name in own | set(_outside(noun)) if not name.startswith("_")))


@dataclass(frozen=True)
class Registry:
    """The plug-ins of one kind: `package` is the folder that holds them, `noun` what one of them is called."""

    package: str
    noun: str

    def names(self) -> tuple[str, ...]:
        """Every name that `kind` and `make` know, sorted."""
        return _names(self.package, self.noun)

    def kind(self, name: str) -> type[Any]:
        """The class behind a name. Raises UserError with the nearest name when there is none."""
        if name not in self.names():
            raise UserError(f"there is no {self.noun} named '{name}'", nearest(name, self.names()))
        if name in _outside(self.noun):
            loaded: type[Any] = _outside(self.noun)[name].load()
            return loaded
        module = importlib.import_module(f"{self.package}.{name}")
        found: type[Any] = getattr(module, "".join(part.capitalize() for part in name.split("_")))
        return found

    def make(self, name: str, settings: Mapping[str, Any], where: str = "") -> Any:
        """The plug-in with its settings filled in and checked. Raises UserError that names the setting and the
        nearest one."""
        kind = self.kind(name)
        if not dataclasses.is_dataclass(kind):
            raise TypeError(f"{kind} is a plug-in and must be a dataclass")
        return build(kind, settings, where or self.noun)
