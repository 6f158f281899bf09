"""The sources and topics of the standard library are there, whole, and the same each time."""

import subprocess
import sys

from dragoman.data.builtin import builtin_rows
from dragoman.data.problems import Row


def test_sources() -> None:
    rows = [row for row in builtin_rows("stdlib-source") if isinstance(row, Row)]
    names = [row.values["id"] for row in rows]
    assert len(rows) > 300 and names == sorted(names)
    assert {"argparse.py", "json/decoder.py"} <= set(names)
    assert not [name for name in names if {"test", "tests", "idlelib", "site-packages"} & set(name.split("/"))]
    found = next(row for row in rows if row.values["id"] == "argparse.py")
    assert "class ArgumentParser" in found.values["text"] and str(found.place).startswith("builtin:stdlib-source/")


def test_topics() -> None:
    rows = [row for row in builtin_rows("stdlib-topics") if isinstance(row, Row)]
    assert not rows or (len(rows) > 50 and "assert" in {row.values["id"] for row in rows})


def test_nothing_is_imported() -> None:
    code = (
        "import sys; from dragoman.data.builtin import builtin_rows\n"
        "list(builtin_rows('stdlib-source')); list(builtin_rows('stdlib-topics'))\n"
        "print([name for name in ('pydoc_data', 'antigravity', 'this', 'turtle', 'torch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
