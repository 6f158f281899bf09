"""Adapters that come and go while a server answers: each one in a folder is a model by its name.

An answer that has begun is ended by the adapter it began with; the next request of that name gets the new one.
"""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from dragoman.core.errors import UserError
from dragoman.serve.served import Catalogue, Served

__all__ = ["FILES", "AdapterFolder", "Adopting"]

FILES = ("adapter_config.json", "adapter_model.safetensors")
LOOK = 1.0  # seconds between two looks

Stamp = tuple[tuple[int, int, int], ...]


class Adopting(Protocol):
    """An engine beside whose model adapters may be put."""

    def adopt(self, name: str, folder: Path) -> None:
        """Answer to a name from now on. Raises UserError where the adapter does not fit."""
        ...

    def drop(self, name: str) -> None:
        """Take no more requests for it."""
        ...


@dataclass
class AdapterFolder:
    """Serves what lies in a folder beside `base`, whose scheduler's engine is `engine`."""

    folder: Path
    base: Served
    engine: Adopting
    catalogue: Catalogue
    _seen: dict[str, Stamp] = field(default_factory=dict)
    "what each adapter was when it was last looked at, whether it could be served or not"
    _number: int = 0

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Serve what came, and what changed in its new form; no longer what went. Called by one thread at a time."""
        found = self._found()
        for name in self._seen.keys() - found.keys():
            del self._seen[name]
            self._take(name)
        for name, stamp in found.items():
            if self._seen.get(name) != stamp:
                self._seen[name] = stamp
                self._put(name)

    def _found(self) -> Mapping[str, Stamp]:
        """The adapters of the folder by their names, each with what changes where one of its files does."""
        found = {}
        for one in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            try:
                stats = [(one / name).stat() for name in FILES]
            except OSError:  # no adapter, or one that is just being written
                continue
            found[one.name] = tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in stats)
        return found

    def _put(self, name: str) -> None:
        """Serve an adapter under its name. One that cannot be is told; what was served under the name stays."""
        self._number += 1
        inner = f"{name} {self._number}"  # a name is free at once, though its old adapter is still being answered with
        taken = {served.name for served in self.catalogue if served.scheduler is not self.base.scheduler}
        try:
            if name in taken or name == self.base.name:
                raise UserError("its name is that of another model", "give its folder another one")
            self.engine.adopt(inner, self.folder / name)
        except UserError as error:
            sys.stderr.write(f"dragoman: the adapter {name} is not served: {error.problem}; {error.hint}\n")
            sys.stderr.flush()
            return
        old = self._served(name)
        lineage = replace(self.base.lineage, adapter=name)
        self.catalogue.put(replace(self.base, name=name, adapter=inner, lineage=lineage))
        if old is not None:
            self.engine.drop(old.adapter)

    def _take(self, name: str) -> None:
        if (old := self._served(name)) is not None:
            self.catalogue.take(name)
            self.engine.drop(old.adapter)

    def _served(self, name: str) -> Served | None:
        """What is served under the name beside this base."""
        own = (one for one in self.catalogue if one.name == name and one.scheduler is self.base.scheduler)
        return next((one for one in own if one.adapter), None)
