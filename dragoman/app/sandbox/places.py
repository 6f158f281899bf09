"""What Python needs to read to be Python: its library without what was installed beside it, and shared objects."""

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.errors import UserError

__all__ = ["Places", "find_places"]

LEFT_OUT = ("site-packages", "dist-packages", "test", "idlelib", "ensurepip", "turtledemo", "tkinter", "venv")
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
# Modules that bring shared objects of the system with them; what they load is asked of a Python that has loaded them.
WITH_OBJECTS = ("math", "_decimal", "_ctypes", "zlib", "_bz2", "_lzma", "_hashlib", "_sqlite3", "pyexpat", "_uuid")
ASK = f"""
import importlib, json
for name in {WITH_OBJECTS!r}:
    try: importlib.import_module(name)
    except ImportError: pass
print(json.dumps(sorted({{line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if ".so" in line}})))
"""
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Places:
    """The interpreter and what it reads, as whole folders and as single files."""

    python: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    library: str
    "the folder that most of them stand in"
    hidden: tuple[str, ...]
    "the folders in it that are none of them: what was installed beside Python's own modules"


def find_places() -> Places:
    """Those of the Python that runs us, without its virtual environment. Raises UserError where it does not start."""
    python = _python()
    library = Path(sysconfig.get_path("stdlib"))
    inside = [entry for entry in sorted(library.iterdir()) if entry.name not in LEFT_OUT]
    try:
        asked = subprocess.run(
            [python, "-I", "-S", "-c", ASK], capture_output=True, env={}, timeout=SECONDS, check=True
        )
        objects = [Path(name) for name in json.loads(asked.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UserError(f"{python} does not start: {error}", "look at this machine with: dragoman doctor") from error
    named = {name for one in objects if library not in one.parents for name in _names(one)}
    named |= {name for name in LOADERS if Path(name).exists()}
    folders = tuple(str(entry) for entry in inside if entry.is_dir())
    files = (*(str(entry) for entry in inside if entry.is_file()), *sorted(named))
    hidden = tuple(str(library / name) for name in LEFT_OUT if (library / name).is_dir())
    return Places(python, folders, files, str(library), hidden)


def _python() -> str:
    """The interpreter itself: a virtual environment's own would look for the environment's files."""
    there = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(there.resolve() if there.exists() else Path(sys.executable).resolve())


def _names(file: Path) -> set[str]:
    """Every name beside a shared object that leads to it, since it is looked for by a shorter one."""
    if not file.exists():
        return set()
    stem = file.name.split(".so")[0]
    beside = file.parent.glob(f"{stem}*.so*")
    return {str(file)} | {str(one) for one in beside if one.is_symlink() and one.resolve() == file.resolve()}
