"""A hint mends the mistake: each verb, option and setting it names exists."""

import ast
import dataclasses
import importlib
import re
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dragoman.cli import VERBS
from dragoman.core.project import Project
from tests.house_rules.source import PACKAGE, called, calls, module_name, place, python_files, tree

VERB = re.compile(r"(?<![\w./-])dragoman ([a-z]+)\b")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
SETTING = re.compile(r"(?<![\w.{}/?&-])([a-z_]+(?:\.[a-z_]+)*)=(?!=)")
EXAMPLES = {"section.key", "key"}
OWN_OPTIONS = {"help", "json", "version"}
PLAIN_WORDS = {
    "takes",
    "is",
    "needs",
    "has",
    "does",
    "can",
    "was",
    "answers",
    "alone",
    "reads",
    "uses",
    "installed",
    "itself",
}


def literals(node: ast.expr) -> Iterator[str]:
    """The texts of an expression; what an f-string fills in stands as `{}`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in inner.values)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


@cache
def hints() -> tuple[tuple[str, str], ...]:
    """Where each hint stands and what it says; a hint built elsewhere is found as a text assigned to a name `hint`."""
    found = []
    for path in python_files("dragoman"):
        for node in calls(path):
            if called(node).split(".")[-1] in ("UserError", "Busy"):
                given = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "hint")]
                found += [(place(path, node), text) for one in given for text in literals(one)]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign) and "hint" in ast.unparse(node.targets[0]):
                found += [(place(path, node), text) for text in literals(node.value)]
    return tuple(found)


@cache
def fields_by_class() -> dict[str, dict[str, str]]:
    """The annotated fields of every class in the package: {class: {field: annotation}}."""
    found: dict[str, dict[str, str]] = {}
    for path in python_files("dragoman"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                lines = [line for line in node.body if isinstance(line, ast.AnnAssign)]
                fields = {ast.unparse(line.target): ast.unparse(line.annotation) for line in lines}
                found.setdefault(node.name, {}).update(fields)
    return found


@cache
def settings_of_stages() -> frozenset[str]:
    """Every setting some verb takes for itself, by the class `Settings` in its stage, and those of its sections."""
    names: set[str] = set()
    for path in python_files("dragoman/stages"):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and node.name == "Settings":
                lines = [line for line in node.body if isinstance(line, ast.AnnAssign)]
                names |= {ast.unparse(line.target) for line in lines}
                for line in lines:
                    names |= fields_by_class().get(ast.unparse(line.annotation), {}).keys()
    return frozenset(names)


def exists(name: str) -> bool:
    """Whether a dotted setting can be given: in the project, in a verb's own settings, or in a plug-in."""
    first, *rest = name.split(".")
    if first in settings_of_stages() and not hasattr(Project, first):
        return not rest or any(rest == [field] for fields in fields_by_class().values() for field in fields)
    kind: typing.Any = Project
    for position, part in enumerate(name.split(".")):
        if not dataclasses.is_dataclass(kind):  # a free table, such as scope.target or a plug-in's settings
            return position > 0 and (kind is not Project) and free(name.split(".")[:position], part)
        hints_here = typing.get_type_hints(kind)
        if part not in hints_here:
            return False
        kind = hints_here[part]
    return True


def free(table: list[str], part: str) -> bool:
    """Whether a free table may hold this name: metrics and labels hold any, `train` what the training settings know."""
    return table != ["train"] or any(part in fields for fields in fields_by_class().values())


def test_there_are_hints() -> None:
    assert len(hints()) > 10


def test_every_verb_a_hint_names_exists() -> None:
    named = [(where, verb) for where, text in hints() for verb in VERB.findall(text)]
    assert not [pair for pair in named if pair[1] not in VERBS and pair[1] not in PLAIN_WORDS]


def test_every_option_a_hint_names_exists() -> None:
    wrong = []
    for where, text in hints():
        if not VERB.search(text):
            continue  # the option of another program, such as pip
        known = {name.replace("_", "-") for name in settings_of_stages()} | OWN_OPTIONS
        wrong += [(where, option) for option in OPTION.findall(text) if option not in known]
    assert not wrong


def test_every_setting_a_hint_names_exists() -> None:
    named = [(where, name.removeprefix("over.")) for where, text in hints() for name in SETTING.findall(text)]
    assert not [pair for pair in named if pair[1] not in EXAMPLES and not exists(pair[1])]


@pytest.mark.parametrize(
    ("name", "expected"), [("data.columns.text", True), ("data.colums.text", False), ("dat", False)]
)
def test_the_rule_itself(name: str, expected: bool) -> None:
    assert exists(name) is expected


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_stage(verb: str) -> None:
    path: Path = PACKAGE / "stages" / f"{verb}.py"
    assert path.exists()
    stage = importlib.import_module(module_name(path))
    assert dataclasses.is_dataclass(stage.Settings)
