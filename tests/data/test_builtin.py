"""The built-in set: real text, enough of it, without the answer in it, the same every time."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from dragoman.core.errors import UserError
from dragoman.data.builtin import builtin_rows, descriptions, stdlib, summaries
from dragoman.data.chapters import CHAPTERS
from dragoman.data.problems import Problem, Row


def test_it_has_thousands_of_rows_in_some_20_chapters() -> None:
    rows = stdlib()
    counts = Counter(row.answers[0] for row in rows)
    assert 4500 < len(rows) < 8000
    assert 20 <= len(counts) <= 28
    assert min(counts.values()) >= 20
    assert set(counts) == set(descriptions())


def test_texts_are_of_use() -> None:
    rows = stdlib()
    assert min(len(row.text) for row in rows) >= 20
    assert max(len(row.text) for row in rows) <= 1100
    assert len({row.text for row in rows}) == len(rows)
    assert len({row.meta["id"] for row in rows}) == len(rows)
    assert not [row.text for row in rows if ">>> " in row.text[:40]]


def test_the_name_of_the_module_does_not_come_first() -> None:
    for row in builtin_rows("stdlib"):
        if isinstance(row, Row):
            first = re.findall(r"\w+", row.values["text"])[0].lower()
            assert first != row.values["id"].split(".")[0].lstrip("_").lower(), row


def test_what_is_left_out_is_counted() -> None:
    counts = Counter(found.name for found in builtin_rows("stdlib") if isinstance(found, Problem))
    assert set(counts) == {
        "short-docstring",
        "duplicate-docstring",
        "private-docstring",
        "docstring-begins-with-its-module",
    }
    assert min(counts.values()) > 10


def test_known_rows() -> None:
    labels = {row.meta["id"]: row.answers[0] for row in stdlib()}
    assert labels["json.loads"] == "Internet Data Handling"
    assert labels["math.gcd"] == "Numeric and Mathematical"
    assert labels["threading.Thread.join"] == "Concurrent Execution"
    assert labels["itertools.chain"] == "Functional Programming"


def test_it_is_fast_the_same_and_without_side_effects() -> None:
    program = (
        "import hashlib, sys, time\nfrom dragoman.data.builtin import stdlib\n"
        "print(hashlib.sha256(repr(stdlib()).encode()).hexdigest())\n"
        "print(sorted({'antigravity', 'this', 'tkinter', 'turtle', 'idlelib', 'torch', 'test'} & set(sys.modules)))\n"
        "print(time.process_time())"
    )
    outputs = []
    for hash_seed in "01":
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": hash_seed},
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert float(outputs[0][2]) < 10  # seconds of one processor; 2 on a quiet machine
    assert outputs[0][:2] == outputs[1][:2]
    assert outputs[0][1] == "[]"


def test_every_module_has_one_chapter() -> None:
    modules = [module for chapter in CHAPTERS for module in chapter.modules]
    assert [module for module, count in Counter(modules).items() if count > 1] == []
    for chapter in CHAPTERS:
        assert chapter.description.endswith(".")


def test_summaries_are_pairs_for_finding_one_by_the_other() -> None:
    pairs = summaries(200)
    assert len(pairs) == 200
    assert len({first for first, _ in pairs}) == 200
    assert all(len(first) >= 20 and len(rest) >= 80 for first, rest in pairs)
    assert summaries(200) == pairs
    assert len(summaries(10**6)) > 1000


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        list(builtin_rows("sdtlib"))
    assert "did you mean 'stdlib'" in caught.value.hint
