"""The repository speaks of itself alone: no machine of ours, no note to self, no private host."""

import re

from tests.house_rules.source import place, tracked_files

# Put together from halves, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a path of somebody's machine": "|".join(
        ("/wo" + r"rk\b", r"(?<![\w.])/ro" + r"ot\b", r"/ho" + r"me/\w", r"/Us" + r"ers/\w")
    ),
    "a folder of wheels": r"/op" + r"t/(pypi|wheels)",
    "a package registry's host": r"py" + r"pi\.org|files\.python" + r"hosted\.org|download\.py" + r"torch\.org",
    "a note to self": r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b",
    "a merge left half done": r"^(<{7}|>{7}) ",
    "a number of a tracker": r"\b[Ii]ss" + r"ue #?\d",
    "a document outside the repository": r"shared/(design|style|stack|science|reli" + r"ability|serving)\b",
}
TEXT = {".py", ".md", ".toml", ".txt", ".html", ".j2", ".css", ".js", ".yml", ".yaml", ".cfg", ""}


def test_no_forbidden_word() -> None:
    wrong = []
    for path in tracked_files():
        if path.suffix not in TEXT or path.stat().st_size > 1_000_000:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            wrong += [f"{place(path)}:{number}: {what}" for what, shape in FORBIDDEN.items() if re.search(shape, line)]
    assert not wrong, "\n".join(wrong)


def test_every_text_file_is_utf8_with_plain_line_ends() -> None:
    for path in tracked_files():
        if path.suffix in TEXT and path.stat().st_size < 1_000_000:
            data = path.read_bytes()
            assert b"\r" not in data, place(path)
            assert not data or data.endswith(b"\n"), f"{place(path)} does not end with a line end"


def test_no_file_is_huge() -> None:
    assert not {place(path): path.stat().st_size for path in tracked_files() if path.stat().st_size > 2_000_000}
