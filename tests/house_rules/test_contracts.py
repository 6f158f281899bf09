"""The import contracts cover every room there is, and the check of shapes every file that states them."""

import ast
import tomllib

import pytest

from tests.house_rules.source import PACKAGE, ROOT, module_name, python_files, tree
from tests.shapes import SHAPED

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ROOMS = sorted(folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and any(folder.glob("*.py")))
WITH_TORCH = {"nn", "train", "compress", "models"}
ALLOWED = {
    "rag": {"app"},
    "data": {"evals"},
    "metrics": {"evals"},
    "app": {"serve", "evals"},
    "compress": {"train"},
    "nn": {"train", "models", "compress"},
}


def of_type(kind: str) -> list[dict[str, list[str]]]:
    """The contracts of one type."""
    return [contract for contract in CONTRACTS if contract["type"] == kind]


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("core", "stages")])
def test_a_room_is_opened_only_to_its_neighbours(room: str) -> None:
    found = [contract for contract in of_type("protected") if f"dragoman.{room}" in contract["protected_modules"]]
    assert found, f"pyproject.toml needs a protected contract for {room}"
    allowed = {name.removeprefix("dragoman.") for contract in found for name in contract["allowed_importers"]}
    assert allowed <= ALLOWED.get(room, set()) | {"stages"}


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("core", "stages")])
def test_a_room_stands_in_one_wing(room: str) -> None:
    wings = [
        contract
        for contract in of_type("forbidden")
        if "wing" in str(contract["name"]) and "torch," not in str(contract["name"])
    ]
    sources = [{name.removeprefix("dragoman.") for name in contract["source_modules"]} for contract in wings]
    assert len(sources) == 2
    assert sum(room in names for names in sources) == 1
    assert all((room in WITH_TORCH) == (names <= WITH_TORCH) for names in sources if room in names)


def test_every_stated_shape_is_checked() -> None:
    stated = [
        module_name(path)
        for path in python_files("dragoman")
        for node in tree(path).body
        if isinstance(node, ast.ImportFrom) and node.module == "jaxtyping"
    ]
    assert not [name for name in stated if not any(name == one or name.startswith(f"{one}.") for one in SHAPED)]
