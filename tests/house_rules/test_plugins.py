"""A plug-in is one file with one frozen dataclass named after it, and one test file of the same name."""

import ast
from pathlib import Path

import pytest

from tests.house_rules.source import PACKAGE, ROOT, called, calls, place, python_files, tree

FOLDERS = ("train/objectives", "train/tuning", "metrics", "app/steps", "data/shapes", "nn/families")


def plugins(folder: str) -> list[Path]:
    """The plug-in files of a folder; a name that starts with an underscore is none."""
    return [
        path for path in python_files(f"dragoman/{folder}") if path.parent == PACKAGE / folder and path.stem[0] != "_"
    ]


def registered() -> set[str]:
    """The folders whose plug-ins are made from settings alone: those a Registry is given."""
    found = set()
    for path in python_files("dragoman"):
        for node in calls(path):
            if called(node).split(".")[-1] == "Registry" and node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value).removeprefix("dragoman.").replace(".", "/"))
    return found


def is_frozen_dataclass(node: ast.stmt) -> bool:
    """Whether a statement defines a class under `@dataclass(frozen=True)`."""
    if not isinstance(node, ast.ClassDef):
        return False
    marks = [mark for mark in node.decorator_list if isinstance(mark, ast.Call) and called(mark).endswith("dataclass")]
    words = {word.arg: ast.unparse(word.value) for mark in marks for word in mark.keywords}
    return words.get("frozen") == "True"


def without_default(kind: ast.ClassDef) -> list[str]:
    """The fields of a dataclass that must be given."""
    lines = [
        line for line in kind.body if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation)
    ]
    return [ast.unparse(line.target) for line in lines if line.value is None]


@pytest.mark.parametrize("path", [path for folder in FOLDERS for path in plugins(folder)], ids=place)
def test_a_plugin(path: Path) -> None:
    folder = path.parent.relative_to(PACKAGE).as_posix()
    kinds = [node for node in tree(path).body if is_frozen_dataclass(node)]
    expected = "".join(part.capitalize() for part in path.stem.split("_"))
    public = [node.name for node in kinds if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    assert public == [expected], f"{place(path)} must hold the one frozen dataclass {expected}"
    kind = next(node for node in kinds if isinstance(node, ast.ClassDef) and node.name == expected)
    assert ast.get_docstring(kind), f"{place(path, kind)}: {expected} needs a docstring"
    if folder in registered():
        assert not without_default(kind), f"{place(path, kind)}: every field needs a default: {without_default(kind)}"
    mirror = ROOT / "tests" / folder
    found = [
        file.name for file in (ROOT / "tests").rglob(f"test_{path.stem}.py") if file.parent in (mirror, mirror.parent)
    ]
    assert found, f"{place(path)} needs tests/{folder}/test_{path.stem}.py"


def test_every_registry_reads_a_folder_that_is_checked() -> None:
    assert registered() <= set(FOLDERS)
