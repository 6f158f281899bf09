"""Names say what a thing is: none of the words that fit everything."""

import ast
import re

from tests.house_rules.source import place, python_files, tracked_files, tree

IN_CLASSES = re.compile(r"Manager|Handler|^_?Base(?=[A-Z]|$)|Helper|Util(s|ities)?(?=[A-Z]|$)|Common(?=[A-Z]|$)")
IN_OTHERS = re.compile(r"(^|_)(utils?|utilities|helpers?|common|misc|stuff|manager)(_|$)")


def test_no_name_says_nothing() -> None:
    wrong = []
    for path in python_files():
        wrong += [place(path)] if IN_OTHERS.search(path.stem) else []
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and IN_CLASSES.search(node.name):
                wrong.append(f"{place(path, node)}: class {node.name}")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and IN_OTHERS.search(node.name):
                wrong.append(f"{place(path, node)}: {node.name}")
    assert not wrong, "\n".join(wrong)


def test_no_folder_says_nothing() -> None:
    folders = {part for path in tracked_files() for part in path.parent.parts}
    assert not {folder for folder in folders if IN_OTHERS.search(folder)}
