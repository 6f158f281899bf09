"""A file opens with its purpose, stays short, and says what may be imported from it."""

import ast
import re
from pathlib import Path

from tests.house_rules.source import PACKAGE, ROOT, module_name, place, python_files, tree

LINES_A_FILE = 400
LINES_A_FUNCTION = 60
SECOND_SENTENCE = re.compile(r"[a-z0-9)`'\"][.!?] +[A-Z]")


def test_every_file_opens_with_one_sentence() -> None:
    wrong = []
    for path in python_files():
        if not path.read_text().strip():
            continue  # an empty __init__.py has no purpose to tell
        opening = (ast.get_docstring(tree(path)) or "").split("\n\n")[0].strip()
        if not opening or opening[-1] not in ".:?" or SECOND_SENTENCE.search(" ".join(opening.split())):
            wrong.append(f"{place(path)}: {opening[:100]!r}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long() -> None:
    lengths = {place(path): len(path.read_text().splitlines()) for path in python_files()}
    assert not {name: lines for name, lines in lengths.items() if lines > LINES_A_FILE}


def test_no_function_is_too_long() -> None:
    wrong = []
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LINES_A_FUNCTION:
                    wrong.append(f"{place(path, node)} {node.name}: {lines} lines")
    assert not wrong, "\n".join(wrong)


def exported(path: Path) -> list[str] | None:
    """What `__all__` of a file lists; None where it has none."""
    for node in tree(path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            value = node.value  # type: ignore[attr-defined]
            assert isinstance(value, ast.List | ast.Tuple), f"{place(path, node)}: __all__ is a plain list"
            return [ast.literal_eval(item) for item in value.elts]
    return None


def defined(path: Path) -> set[str]:
    """Every name a file binds at its top level."""
    names: set[str] = set()
    for node in ast.walk(ast.Module(list(tree(path).body), [])):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
    return names


def test_every_module_says_what_is_importable() -> None:
    wrong = []
    for path in python_files("dragoman"):
        if not tree(path).body[1:]:
            continue  # an empty file, or a docstring alone
        names = exported(path)
        if names is None:
            wrong.append(f"{place(path)}: no __all__")
            continue
        public = {
            node.name
            for node in tree(path).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        wrong += [f"{place(path)}: __all__ lists {name}, which is not there" for name in set(names) - defined(path)]
        wrong += [f"{place(path)}: {name} is public and not in __all__" for name in public - set(names)]
    assert not wrong, "\n".join(wrong)


def test_only_what_is_importable_is_imported() -> None:
    wrong = []
    offered = {module_name(path): exported(path) or [] for path in python_files("dragoman")}
    for path in python_files("dragoman"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ImportFrom) or node.level or not (node.module or "").startswith("dragoman"):
                continue
            for alias in node.names:
                is_module = f"{node.module}.{alias.name}" in offered
                if not is_module and alias.name not in offered.get(str(node.module), []):
                    wrong.append(f"{place(path, node)}: {alias.name} is not in __all__ of {node.module}")
    assert not wrong, "\n".join(wrong)


def test_every_test_file_mirrors_a_file() -> None:
    rooms = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir()}
    wrong = []
    for path in python_files("tests"):
        parts = path.relative_to(ROOT / "tests").parts
        if len(parts) < 2 or parts[0] not in rooms or not path.name.startswith("test_"):
            continue
        folder = PACKAGE.joinpath(*parts[:-1])
        name = path.stem.removeprefix("test_")
        known = {file.stem.strip("_") for file in folder.glob("*.py")} | {child.name for child in folder.glob("*/")}
        if not any(name == one or name.startswith(f"{one}_") for one in known):
            wrong.append(f"{place(path)}: there is no {folder.relative_to(ROOT)}/{name}.py")
    assert not wrong, "\n".join(wrong)
