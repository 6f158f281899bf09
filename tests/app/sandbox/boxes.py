"""Sandboxes for tests: those of this machine, and ones with a layer taken out, which the real ones are held against."""

import functools
import platform
from dataclasses import dataclass
from typing import Any

import pytest

from dragoman.app.sandbox import landlock
from dragoman.app.sandbox.backends import BACKENDS, CHILD, SWITCHES, Backend
from dragoman.app.sandbox.box import Sandbox, try_backends
from dragoman.app.sandbox.places import Places, find_places
from dragoman.app.sandbox.seccomp import filter_of

__all__ = ["Layered", "box_of", "each_backend", "opened"]

each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=[backend.name for backend in BACKENDS])


@functools.cache
def why_not(backend: Backend) -> str:
    """Why this machine cannot use a backend; asked once."""
    return try_backends([backend])[backend.name]


@functools.cache
def places() -> Places:
    """What Python reads; asked once."""
    return find_places()


def box_of(backend: Backend) -> Sandbox:
    """A sandbox of this backend; the test is skipped where the machine has none."""
    if why_not(backend):
        pytest.skip(f"{backend.name}: {why_not(backend)}")
    return Sandbox(backend, places())


def opened() -> Sandbox:
    """The first sandbox that works here; the test is skipped where none does."""
    for backend in BACKENDS:
        if not why_not(backend):
            return Sandbox(backend, places())
    pytest.skip("no sandbox works on this machine")


@dataclass(frozen=True)
class Layered:
    """The first backend with as many of its layers as are asked for. With none, only limits and lost rights hold."""

    files: bool = False
    calls: bool = False
    name: str = "a part"

    def missing(self) -> str:
        """Nothing."""
        return ""

    def command(self, places: Places, folder: str) -> list[str]:
        """Python itself."""
        return [places.python, *SWITCHES, CHILD]

    def told(self, places: Places) -> dict[str, Any]:
        """The layers."""
        rules = landlock.rules_of(landlock.abi(), places.folders, places.files) if self.files else None
        return {"landlock": rules, "filter": filter_of(platform.machine()).hex() if self.calls else ""}
