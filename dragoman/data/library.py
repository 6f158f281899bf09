"""Two sets of texts every machine has: the sources of Python's standard library, and its topics of help.

Sources are read, never imported.
"""

import ast
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

from dragoman.data.problems import Place, Problem, Row

__all__ = ["source_rows", "topic_rows"]

# Tests and what is not the library's own; files about this build of Python, which are not the same on two machines.
PASSED = {
    "test", "tests", "idlelib", "turtledemo", "pydoc_data", "site-packages", "dist-packages", "lib-dynload",
    "_vendor", "_bundled", "__pycache__",
}  # fmt: skip


def source_rows() -> Iterator[Row | Problem]:
    """The .py files of the standard library, by name: columns `text` and `id` (the path inside the library)."""
    root = Path(sysconfig.get_path("stdlib"))
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        if PASSED & set(file.relative_to(root).parts) or name.startswith(("_sysconfigdata", "config-")):
            continue
        place = Place(f"builtin:stdlib-source/{name}")
        try:
            with tokenize.open(file) as stream:  # by the encoding that the file declares
                text = stream.read()
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            yield Problem("unreadable-source", place, str(error).splitlines()[0], refused=False)
            continue
        if text.strip():
            yield Row(place, {"text": text, "id": name})


def topic_rows() -> Iterator[Row | Problem]:
    """The texts that `help("topics")` lists, some 80, by name: columns `text` and `id`."""
    file = Path(sysconfig.get_path("stdlib")) / "pydoc_data" / "topics.py"
    if not file.is_file():  # some distributions of Python leave it out
        yield Problem("no-topics", Place("builtin:stdlib-topics"), "this Python has no topics of help", refused=False)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old versions hold odd escapes
        tree = ast.parse(file.read_bytes())
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            topics: dict[str, str] = ast.literal_eval(node.value)
            for name in sorted(topics):
                yield Row(Place(f"builtin:stdlib-topics/{name}"), {"text": topics[name], "id": name})
