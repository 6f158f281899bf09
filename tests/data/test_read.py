"""Reading: D01 to D16 of the fault catalogue, and that no bytes are a bug."""

import gzip
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.data.load import load, require
from dragoman.data.problems import write_rejects
from dragoman.data.read import scan
from tests.data.reading import GOOD, found, only


def refusal(path: Path, content: bytes | str) -> UserError:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        require(load(path.name, root=path.parent))
    return caught.value


def test_d01_a_malformed_line_is_named_with_its_place(tmp_path: Path) -> None:
    problem = only(tmp_path / "a.jsonl", GOOD + '{"text": "x" "label": "no"}\n' + GOOD)
    assert (problem.name, str(problem.place)) == ("malformed", "a.jsonl:3:14")
    error = refusal(tmp_path / "a.jsonl", GOOD + '{"text": "x" "label": "no"}\n' + "nonsense\n")
    assert "2 problems in a.jsonl: malformed 2" in error.problem
    assert "a.jsonl:3:14" in error.problem
    assert "a.jsonl:4:1" in error.problem
    assert "data.keep_going=true" in error.hint


def test_d01_a_row_that_is_no_object_is_named(tmp_path: Path) -> None:
    assert only(tmp_path / "a.jsonl", '["a", "b"]\n').name == "not-an-object"


def test_d02_a_truncated_last_line_is_named_as_such(tmp_path: Path) -> None:
    problem = only(tmp_path / "a.jsonl", GOOD + '{"text": "cut of')
    assert (problem.name, problem.place.line) == ("truncated", 3)
    assert only(tmp_path / "a.json", '[{"text": "a"}, {"text": "b"}').name == "truncated"
    assert only(tmp_path / "a.csv", 'text,label\na,b\n"never closed,b\nc,d\n').name == "truncated"


def test_d02_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"text": "%d"}\n' % number for number in range(5000)))
    assert only(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2]).name == "truncated"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_d03_utf_16_is_named_with_the_line_that_mends_it(tmp_path: Path, encoding: str) -> None:
    problem = only(tmp_path / "a.jsonl", (GOOD * 3).encode(encoding))
    assert problem.name == "encoding"
    assert problem.fix.startswith(
        f"iconv -f {encoding.upper().replace('-LE', 'LE').replace('-BE', 'BE')} -t UTF-8 a.jsonl"
    )


@pytest.mark.parametrize(("text", "encoding"), [("déjà vu", "LATIN1"), ("a “quote”", "WINDOWS-1252")])
def test_d04_latin_1_is_named_with_its_column(tmp_path: Path, text: str, encoding: str) -> None:
    line = json.dumps({"text": text, "label": "no"}, ensure_ascii=False)
    problem = only(tmp_path / "a.jsonl", GOOD.encode() + line.encode("cp1252") + b"\n")
    column = next(index for index, character in enumerate(line) if not character.isascii()) + 1
    assert (problem.name, problem.place.line, problem.place.column) == ("encoding", 3, column)
    assert problem.fix == f"iconv -f {encoding} -t UTF-8 a.jsonl > a.utf8.jsonl"
    assert "iconv" in refusal(tmp_path / "a.jsonl", line.encode("cp1252")).hint


def test_d05_a_byte_order_mark_is_left_out_and_counted(tmp_path: Path) -> None:
    for name, content in (("a.jsonl", GOOD), ("a.csv", "text,label\na,b\n"), ("a.json", f"[{GOOD.splitlines()[0]}]")):
        rows, problems = found(tmp_path / name, b"\xef\xbb\xbf" + content.encode())
        assert set(rows[0].values) == {"text", "label"}
        assert "bom" in [problem.name for problem in problems]


@pytest.mark.parametrize("content", [b'{"text": "a\x00b"}\n', b'{"text": "a\\u0000b"}\n'])
def test_d06_nul_is_refused_raw_and_escaped(tmp_path: Path, content: bytes) -> None:
    problem = only(tmp_path / "a.jsonl", content)
    assert (problem.name, problem.place.column) == ("nul", 12)


def test_d06_an_escaped_backslash_is_no_escape(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.jsonl", r'{"text": "a\\u0000 \\ud800 b"}' + "\n")
    assert (len(rows), problems) == (1, [])


def test_d07_crlf_and_unicode_line_ends_stay_whole(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.jsonl", GOOD.replace("\n", "\r\n") + '{"text": "a\u2028b\u0085c"}\r\n\r\n')
    assert [row.place.line for row in rows] == [1, 2, 3]
    assert rows[2].values["text"] == "a\u2028b\u0085c"
    assert [problem.name for problem in problems] == ["blank-line"]


@pytest.mark.parametrize("escape", [r"\ud800", r"\uDC00 x", r"\ud83d \ude00"])
def test_d08_lone_surrogates_are_refused(tmp_path: Path, escape: str) -> None:
    problem = only(tmp_path / "a.jsonl", '{"text": "a' + escape + '"}\n')
    assert (problem.name, problem.place.column) == ("surrogate", 12)


def test_d08_whole_pairs_are_read(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.jsonl", r'{"text": "\ud83d\ude00"}' + "\n")
    assert (rows[0].values["text"], problems) == ("\U0001f600", [])


def test_d08_duplicate_keys_are_refused_where_they_stand(tmp_path: Path) -> None:
    problem = only(tmp_path / "a.jsonl", '{"text": "a", "in": {"k": 1, "k": 2}, "label": "b"}\n')
    assert (problem.name, problem.place.column) == ("duplicate-key", 30)
    assert only(tmp_path / "a.csv", "text,text\na,b\n").name == "duplicate-key"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_d09_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "0 rows" in refusal(tmp_path / name, b"").problem


def test_d09_a_file_of_blank_lines_has_0_examples(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.jsonl", "\n\n").problem == "0 examples in a.jsonl"
    assert refusal(tmp_path / "a.csv", "text,label\n").problem == "0 examples in a.csv"


LONG_LINE = """
import re, sys, time
from pathlib import Path
from dragoman.data.problems import Problem, Row
from dragoman.data.read import scan
def peak():
    # Not ru_maxrss: it is handed down to a new program by the process that starts it.
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
start = time.perf_counter()
items = list(scan(sys.argv[1]))
seconds = time.perf_counter() - start
rows = [item for item in items if isinstance(item, Row)]
bad = [item for item in items if isinstance(item, Problem) and item.refused]
print(len(rows), bad[0].name, bad[0].place.line, peak() // 1024, seconds)
"""


def measured(path: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LONG_LINE, str(path)], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_d10_a_line_of_100_mb_is_refused_without_being_held(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("w") as file:
        file.write({"a.jsonl": GOOD, "a.csv": "text,label\na,b\n", "a.json": "[" + GOOD.replace("\n", ",\n")}[name])
        file.write({"a.jsonl": '{"text": "', "a.csv": '"', "a.json": '{"text": "'}[name])
        for _ in range(100):
            file.write("long " * 200_000)
        file.write({"a.jsonl": '"}\n' + GOOD, "a.csv": '",b\n', "a.json": '"}]'}[name])
    rows, problem, line, megabytes, seconds = measured(path)
    assert problem == "long-line"
    assert line == "3"
    assert rows == {"a.jsonl": "4", "a.csv": "1", "a.json": "2"}[name]
    assert int(megabytes) < 300
    assert float(seconds) < 10


def test_d10_the_limit_is_a_setting(tmp_path: Path) -> None:
    problem = only(tmp_path / "a.jsonl", GOOD + '{"text": "' + "x" * 100 + '"}\n', max_line=80)
    assert (problem.name, problem.place.line) == ("long-line", 3)
    assert "data.max_line" in problem.fix


@pytest.mark.parametrize("depth", [65, 900, 50_000])
@pytest.mark.parametrize("mark", ["[]", "{}"])
def test_d11_deep_nesting_is_found_fast(tmp_path: Path, depth: int, mark: str) -> None:
    inner = "[" * depth + "]" * depth if mark == "[]" else '{"a":' * depth + "1" + "}" * depth
    start = time.perf_counter()
    problem = only(tmp_path / "a.jsonl", '{"text": ' + inner + "}\n")
    assert time.perf_counter() - start < 1
    assert problem.name == "too-deep"
    assert problem.place.column > 64


def test_d11_brackets_in_a_text_are_no_nesting(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.jsonl", json.dumps({"text": "[{" * 500}) + "\n")
    assert (len(rows), problems) == (1, [])


def test_d12_a_large_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    peaks = []
    for rows in (20_000, 200_000):
        path = tmp_path / f"{rows}.jsonl"
        with path.open("w") as file:
            for number in range(rows):
                file.write(f'{{"text": "row {number} {"word " * 20}", "label": "a"}}\n')
        program = LONG_LINE.replace("items = list(scan(sys.argv[1]))", "items = [sum(1 for _ in scan(sys.argv[1]))]")
        program = program.replace("print(len(rows), bad[0].name, bad[0].place.line, ", "print(").replace(
            "// 1024, seconds", ""
        )
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 8 * 1024  # kilobytes; the larger file has 24 MB
    assert peaks[1] < 300 * 1024


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_d13_what_is_no_number_is_refused(tmp_path: Path, number: str) -> None:
    problem = only(tmp_path / "a.jsonl", GOOD + f'{{"text": "NaN", "score": {number}}}\n')
    assert (problem.name, problem.place.line, problem.place.column) == ("not-a-number", 3, 26)


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "9" * 30, "1e400", "18446744073709551616"])
def test_d13_huge_numbers_are_refused(tmp_path: Path, number: str) -> None:
    problem = only(tmp_path / "a.jsonl", f'{{"text": "a", "n": {number}}}\n')
    assert (problem.name, problem.place.column) == ("huge-number", 20)


def test_d14_a_field_missing_or_mistyped_late_is_counted_from_all_rows(tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": number % 3} for number in range(3000)]
    late = [{"text": "no label"}, {"text": 5, "label": 1}, {"text": None, "label": 1}, {"text": "x", "label": 0.5}]
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, *late])
    error = refusal(tmp_path / "a.jsonl", lines)
    assert "wrong-type 2" in error.problem
    assert "missing-column 1" in error.problem
    assert "missing-value 1" in error.problem
    assert "a.jsonl:3001:1" in error.problem
    loaded = load("a.jsonl", root=tmp_path)
    assert loaded.schema["text"]["types"] == {"str": 3002, "int": 1, "null": 1}
    assert len(loaded.examples) == 3000


def test_d14_missing_columns_are_answered_with_the_columns_of_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 99 + '{"words": "only here"}\n')
    with pytest.raises(UserError) as caught:
        load(path.name, root=tmp_path)
    assert "a (in 99 of 100 rows)" in caught.value.problem
    assert "words (in 1 of 100 rows)" in caught.value.problem
    assert "data.columns.label=NAME" in caught.value.hint


def test_d15_extra_fields_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(GOOD * 5 + '{"text": "c", "label": "no", "extra": 1}\n')
    loaded = load(path.name, root=tmp_path)
    require(loaded)
    assert loaded.notes["extra-column"] == 1
    assert loaded.schema["extra"]["rows"] == 1
    problem = only(tmp_path / "a.csv", "text,label\na,b\na,b,c\n")
    assert (problem.name, problem.place.line) == ("ragged", 3)


def test_d16_labels_outside_the_scope_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(GOOD + '{"text": "c", "label": "yess"}\n')
    with pytest.raises(UserError) as caught:
        require(load(path.name, root=tmp_path, labels=("yes", "no")))
    assert "label-outside-scope 1" in caught.value.problem
    assert "did you mean 'yes'" in caught.value.problem


def test_keep_going_leaves_the_bad_rows_out_and_lists_them(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD + "broken\n" + '{"text": " ", "label": "no"}\n')
    loaded = load("a.jsonl", root=tmp_path)
    require(loaded, keep_going=True)
    assert len(loaded.examples) == 2
    assert write_rejects(tmp_path / "rejects.jsonl", loaded.problems) == 2
    listed = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["name"]) for reject in listed] == [(3, "malformed"), (4, "empty-text")]


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"PK\x03\x04 rest", "zip"),
        (b"%PDF-1.7 rest", "PDF"),
        (b"\x80\x04\x95 rest", "pickle"),
        (b"PAR1 rest", "Parquet"),
        (b"<!DOCTYPE html><html>", "HTML"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, start: bytes, word: str) -> None:
    problem = only(tmp_path / "a.jsonl", start)
    assert problem.name == "wrong-kind"
    assert word in problem.reason


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.parquet", "a.jsonl.gz", "-"])
@given(
    content=st.one_of(st.binary(), st.text(alphabet='{}[]",:\\\\ud8\\x00\\n\\ra1-.eN').map(str.encode)),
    packed=st.booleans(),
)
def test_no_bytes_are_a_bug(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes, packed: bool) -> None:
    content = gzip.compress(content) if packed else content
    if name == "-":
        items = list(scan("-", stdin=io.BytesIO(content)))
    else:
        path = tmp_path_factory.mktemp("bytes") / name
        path.write_bytes(content)
        items = list(scan(str(path)))
    for item in items:
        assert item.place.line >= 1
        assert item.place.column >= 1
    assert items or not content.strip()
