"""Every failure that the check of a model that writes can name has a section in docs/pains.md that says what it is."""

import ast
import re
from pathlib import Path

from tests.house_rules.source import calls, python_files

NAMED = re.compile(r"^[a-z]+(?:-[a-z]+)+$|^sampled$")


def names() -> set[str]:
    """The names of all findings that stand in the files of the check, and of those that a dialogue is refused with."""
    found = set()
    for path in (path for path in python_files("dragoman/stages") if path.name.startswith("check_")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED.match(node.value):
                found.add(node.value)
    return found


def test_every_failure_has_a_section(root: Path) -> None:
    page = (root / "docs" / "pains.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\S+)$", page, re.MULTILINE))
    kinds = {"encoder-decoder", "utf-8"}  # what is written alike and is no failure
    assert names() - kinds == sections
    assert len(sections) >= 14


def test_whatever_a_dialogue_is_refused_with_has_a_name() -> None:
    marking = next(path for path in python_files("dragoman/nn") if path.name == "marking.py")
    refused = [
        node
        for node in calls(marking)
        if isinstance(node.func, ast.Name) and node.func.id == "UserError" and isinstance(node.args[0], ast.Constant)
    ]
    assert refused
    assert all(re.match(r"[a-z]+-[a-z-]+: ", ast.literal_eval(node.args[0])) for node in refused)
