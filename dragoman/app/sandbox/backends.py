"""The ways to shut a program in: by the kernel's Landlock, or by name spaces that bubblewrap makes; both with a filter.

Neither covers a fault of the kernel itself. Landlock leaves it visible whether a path exists; bubblewrap does not.
"""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dragoman.app.sandbox import child, landlock
from dragoman.app.sandbox.places import Places
from dragoman.app.sandbox.seccomp import ARCHITECTURES, filter_of

__all__ = ["BACKENDS", "Backend", "Bubblewrap", "Landlock"]

CHILD = str(Path(child.__file__).resolve())
SWITCHES = ("-I", "-S", "-B", "-X", "utf8")


class Backend(Protocol):
    """One way to shut a program in."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def missing(self) -> str:
        """Why this machine does not have it; empty where it does."""
        ...

    def command(self, places: Places, folder: str) -> list[str]:
        """What starts the child, with this folder as the one it stands in."""
        ...

    def told(self, places: Places) -> dict[str, Any]:
        """What the child is told to do to itself: `landlock` (its rules, or None) and `filter` (its bytes in hex)."""
        ...


def _not_here() -> str:
    if sys.platform != "linux":
        return "it is there on Linux alone"
    machine = platform.machine()
    return "" if machine in ARCHITECTURES else f"the filter of system calls is not written for {machine}"


@dataclass(frozen=True)
class Landlock:
    """The child takes its own rights away: no other program is needed, and no name spaces (Linux 5.13 and later)."""

    name: str = "landlock+seccomp"

    def missing(self) -> str:
        """Where the kernel has no Landlock, or another sandbox keeps it from us."""
        return _not_here() or ("" if landlock.abi() else "this kernel has no Landlock, or it is not switched on")

    def command(self, places: Places, folder: str) -> list[str]:
        """Python itself."""
        return [places.python, *SWITCHES, CHILD]

    def told(self, places: Places) -> dict[str, Any]:
        """Reading of Python's own library, and the filter."""
        rules = landlock.rules_of(landlock.abi(), places.folders, places.files)
        return {"landlock": rules, "filter": filter_of(platform.machine()).hex()}


@dataclass(frozen=True)
class Bubblewrap:
    """Name spaces of its own that hold nothing but Python: no /proc, no network, no other process, no path of ours."""

    name: str = "bubblewrap+seccomp"

    def missing(self) -> str:
        """Where the program is not installed; whether it may make name spaces is seen when it is tried."""
        return _not_here() or ("" if shutil.which("bwrap") else "the program bwrap is not installed")

    def command(self, places: Places, folder: str) -> list[str]:
        """Bubblewrap, what it shows, and Python. The folder is an empty one of its own, not ours."""
        inside = f"{places.library}/"
        bound = [places.library, *(name for name in (*places.files, places.python) if not name.startswith(inside))]
        shown = [word for place in bound for word in ("--ro-bind", place, place)]
        covered = [word for place in places.hidden for word in ("--tmpfs", place, "--remount-ro", place)]
        return [
            shutil.which("bwrap") or "bwrap",
            *("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"),
            *("--hostname", "sandbox", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"),
            *shown,
            *covered,
            *("--ro-bind", CHILD, "/child.py", "--dev-bind", os.devnull, os.devnull),
            *("--dir", "/empty", "--remount-ro", "/", "--chdir", "/empty"),
            *(places.python, *SWITCHES, "/child.py"),
        ]

    def told(self, places: Places) -> dict[str, Any]:
        """The filter; what it may read was settled from outside."""
        return {"landlock": None, "filter": filter_of(platform.machine()).hex()}


BACKENDS: tuple[Backend, ...] = (Landlock(), Bubblewrap())
"""In the order in which they are tried."""
