"""Nothing is unpickled, nothing is evaluated, no remote code is run, and no call passes on what it does not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house_rules.source import called, calls, place, python_files, tree

MODULES = {"_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
CALLS = {
    "__import__",
    "compile",
    "eval",
    "exec",
    "torch.load",
    "torch.save",
    "os.system",
    "os.popen",
    "numpy.load",
    "np.load",
}
FILES = python_files("dragoman", "benchmarks")


def imported(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Each top-level package a file imports anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0], node


def test_nothing_is_pickled() -> None:
    assert not [f"{place(path, node)}: {name}" for path in FILES for name, node in imported(path) if name in MODULES]


def unsafe(node: ast.Call) -> bool:
    """Whether a call runs or unpickles what it is given. `np.load` does only when it is told to."""
    name = called(node)
    if name in ("np.load", "numpy.load"):
        said = {word.arg: ast.unparse(word.value) for word in node.keywords}
        return said.get("allow_pickle", "False") != "False"
    return name in CALLS


def test_nothing_is_evaluated_nor_unpickled() -> None:
    assert not [f"{place(path, node)}: {called(node)}" for path in FILES for node in calls(path) if unsafe(node)]


def test_no_shell_runs_a_text() -> None:
    wrong = []
    for path in FILES:
        for node in calls(path):
            if any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords):
                wrong.append(place(path, node))
    assert not wrong


def test_no_option_runs_remote_code() -> None:
    name, wrong = "trust_remote_code", []
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.keyword) and node.arg == name and ast.unparse(node.value) != "False":
                wrong.append(place(path, node.value))
            offered = node.arg if isinstance(node, ast.arg) else getattr(node, "target", None)
            if offered == name or (
                isinstance(offered, ast.Name) and isinstance(node, ast.AnnAssign) and offered.id == name
            ):
                wrong.append(place(path, node))
    assert not wrong


def passes_on(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function hands its unknown keyword arguments to another."""
    unknown = function.args.kwarg
    if unknown is None:
        return False
    words = (word for node in ast.walk(function) if isinstance(node, ast.Call) for word in node.keywords)
    return any(word.arg is None and ast.unparse(word.value) == unknown.arg for word in words)


def test_no_keyword_is_passed_on_unread() -> None:
    wrong = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and passes_on(node):
                wrong.append(f"{place(path, node)}: {node.name}")
    assert not wrong


def test_no_global_is_rebound() -> None:
    assert not [place(path, node) for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.Global)]


def test_nothing_of_ours_is_inherited_but_protocols_errors_and_modules() -> None:
    """Implementation is shared by functions; a class of ours is a parent only as a protocol or an error."""
    kinds = {
        node.name: [ast.unparse(parent) for parent in node.bases]
        for path in python_files("dragoman")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }

    def is_open(name: str) -> bool:
        parents = kinds.get(name.split("[")[0], [])
        return any(one.startswith("Protocol") or one in ("Exception", "UserError") for one in parents)

    wrong = [
        (name, parent)
        for name, parents in kinds.items()
        for parent in parents
        if parent in kinds and not is_open(parent)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("eval('1')", True),
        ("torch.load('x')", True),
        ("np.load('x', allow_pickle=True)", True),
        ("np.load('x')", False),
        ("model.eval()", False),
        ("ast.literal_eval('1')", False),
    ],
)
def test_the_rule_itself(line: str, expected: bool) -> None:
    node = ast.parse(line, mode="eval").body
    assert isinstance(node, ast.Call)
    assert unsafe(node) is expected
