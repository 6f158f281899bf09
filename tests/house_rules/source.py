"""The repository as the house-rule tests read it: files, syntax trees and the places of what they find."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["PACKAGE", "ROOT", "called", "calls", "module_name", "place", "python_files", "tracked_files", "tree"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dragoman"


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository; ignored ones are not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        found = (ROOT / name for name in listed if name)
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive without git
        found = (path for path in ROOT.rglob("*") if not any(part.startswith(".venv") for part in path.parts))
    return tuple(sorted(path for path in set(found) if path.is_file() and not path.is_symlink()))


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files of the repository under these folders of the root, or all of them."""
    roots = [ROOT / folder for folder in folders or (".",)]
    files = [path for path in tracked_files() if path.suffix == ".py"]
    return tuple(path for path in files if any(path.is_relative_to(root) for root in roots))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """`folder/file.py:12`, as an editor opens it."""
    line = f":{getattr(node, 'lineno', 1)}" if node is not None else ""
    return f"{path.relative_to(ROOT).as_posix()}{line}"


def module_name(path: Path) -> str:
    """`dragoman.core.types` of dragoman/core/types.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def called(node: ast.Call) -> str:
    """The dotted name of what a call calls, such as `torch.load`; empty where it is not a name."""
    return ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
