"""What people corrected becomes rows, once, after somebody has looked: in the terminal or, for scripts, as it is."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.cli import main
from dragoman.data.collected import is_case, read_collected, read_reviews
from dragoman.serve.journal_acts import Keep, Note
from dragoman.serve.journal_schema import Entry, opened

ENTRY = Entry(
    "",
    1.7e9,
    "",
    "/v1/chat/completions",
    "lora-1",
    '{"project":"p","run":"lora-1"}',
    200,
    "",
    "",
    False,
    3,
    4,
    0.1,
    0.2,
)
LEARNT = [text for text in (f"question {number}" for number in range(60)) if not is_case(text)]
MEASURED = [text for text in (f"question {number}" for number in range(60)) if is_case(text)]


def write_journal(path: Path, *rows: tuple[Entry, int | None, str]) -> None:
    """A journal of these requests with their thumbs and corrections."""
    path.parent.mkdir(exist_ok=True)
    connection = opened(path)
    connection.execute("BEGIN IMMEDIATE")
    for number, (entry, thumb, correction) in enumerate(rows):
        entry = replace(entry, id=entry.id or f"req-{number}")
        Keep(entry, texts=True).write(connection)
        if thumb is not None or correction:
            Note(entry.id, "", 1.7e9 + 60, thumb, correction, "").write(connection)
    connection.execute("COMMIT")
    connection.close()


def chat(text: str, answer: str) -> Entry:
    """A question and its answer."""
    return replace(ENTRY, prompt=json.dumps([{"role": "user", "content": text}]), answer=answer)


def label(text: str, *results: tuple[str, float]) -> Entry:
    """Texts with their labels."""
    told = json.dumps([{"label": name, "labels": [name], "score": score} for name, score in results])
    return replace(ENTRY, route="/v1/classify", prompt=json.dumps([text] * len(results)), answer=told)


@pytest.fixture
def chatting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a model that writes; one stands in its folder."""
    scope = '[scope]\nname = "p"\ntask = "chat"\ntarget = { chrf = ">= 0.5" }\n[data]\nsource = "rows.jsonl"\n'
    (tmp_path / "dragoman.toml").write_text(scope)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def labelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two labels."""
    scope = '[scope]\nname = "p"\nlabels = { hot = "", cold = "" }\n[data]\nsource = "rows.jsonl"\n'
    (tmp_path / "dragoman.toml").write_text(scope)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collect(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What the verb says as JSON."""
    assert main(["collect", "--json", *words]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_nothing_enters_that_nobody_has_looked_at(
    chatting: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(chatting / "runs" / "journal.sqlite", (chat(LEARNT[0], "bad"), -1, "good"))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = collect(capsys)
    assert said["accepted"] == said["examples"] == 0 and said["left_out"] == {"not decided yet": 1}


def test_all_are_taken_once_and_say_where_they_come_from(chatting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_journal(
        chatting / "runs" / "journal.sqlite",
        (chat(LEARNT[0], "bad"), None, "write to ann@example.com"),
        (chat(MEASURED[0], "bad"), -1, "fine"),
        (chat(LEARNT[0], "bad"), None, "write to ann@example.com"),
        (chat(LEARNT[1], "worse"), -1, ""),
        (chat(LEARNT[2], "liked"), 1, ""),
        (replace(chat(LEARNT[3], ""), status=500), -1, "x"),
        (replace(chat(LEARNT[4], "y"), lineage='{"project":"other"}'), -1, "x"),
        (label("a text", ("hot", 0.9)), -1, "cold"),
    )
    said = collect(capsys, "accept=all", "by=ann")
    left = {"the same as another": 1, "failed": 1, "of another project": 1, "of another task": 1}
    assert said["left_out"] == left and (said["accepted"], said["wrong"]) == (2, 1)
    assert (said["examples"], said["preferences"], said["cases"]) == (1, 1, 1)
    made = read_collected(chatting / "collected")
    assert made.examples[0].answers == ("write to [e-mail 1]",) and made.preferences[0].rejected == "bad"
    meta = made.examples[0].meta
    assert (meta["id"], meta["run"], meta["by"], meta["why"]) == ("req-0", "lora-1", "ann (accept=all)", "corrected")
    assert meta["asked"] == "2023-11-14T22:13:20Z" and meta["collected"] is True
    held = {path.name: path.read_bytes() for path in (chatting / "collected").glob("*.jsonl")}
    again = collect(capsys, "accept=all", "by=ann")
    assert again["accepted"] == 0 and again["left_out"]["reviewed before"] == 3 and again["examples"] == 1
    assert held == {path.name: path.read_bytes() for path in (chatting / "collected").glob("*.jsonl")}
    assert collect(capsys, "accept=all", "take=up")["examples"] == 2


def test_review_in_the_terminal(
    chatting: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = chatting / "runs" / "journal.sqlite"
    write_journal(journal, *[(chat(text, "bad \x1b[31m"), -1, "good") for text in LEARNT[:6]])
    typed = "what?\na\ne better\ne\ntwo\nlines\n.\ns\nq\na\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["collect", "by=ann"]) == 0
    shown = capsys.readouterr()
    assert "keys: a accept, e TEXT" in shown.out + shown.err and "\x1b[31m" not in shown.out + shown.err
    reviews = read_reviews(chatting / "collected")
    assert [(one.right, one.decision) for one in reviews] == [
        (("good",), "accept"),
        (("better",), "accept"),
        (("two\nlines",), "accept"),
        (("good",), "skip"),
    ]
    assert {one.by for one in reviews} == {"ann"}
    monkeypatch.setattr("sys.stdin", io.StringIO("a\na\na\n"))
    assert collect(capsys)["accepted"] == 2  # the two that were not decided


def test_labels_are_corrected_by_name_or_number(
    labelling: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = [label(text, ("hot", 0.55)) for text in LEARNT[:5]]
    write_journal(
        labelling / "runs" / "journal.sqlite",
        (hot[0], -1, "Cold"),
        (hot[1], -1, "it is cold, I think"),
        (hot[2], -1, ""),
        (hot[3], None, ""),
        (label(LEARNT[5], ("hot", 0.99)), None, ""),
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nl warm\nl 2\nl COLD\nl hot\n"))
    said = collect(capsys, "take=down,unsure")
    assert (said["accepted"], said["examples"], said["preferences"]) == (4, 4, 0)
    made = read_collected(labelling / "collected").examples
    assert [(one.text, one.answers) for one in made] == [
        (LEARNT[0], ("cold",)),
        (LEARNT[1], ("cold",)),
        (LEARNT[2], ("cold",)),
        (LEARNT[3], ("hot",)),
    ]
    assert made[3].meta["why"] == "unsure"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["take=sideways"], "names no requests"),
        (["unsure=2"], "out of range"),
        (["journal=none.sqlite"], "there is no journal"),
    ],
)
def test_mistakes_are_told(chatting: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", *words]) == 2
    assert told in capsys.readouterr().err


def test_what_stands_in_the_sealed_test_is_left_out(chatting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dragoman.core.runs import Run
    from dragoman.core.types import Example, Message
    from dragoman.data.seal import openings, write_sealed
    from dragoman.stages.prepare import seal_of

    prepared = Run.begin(chatting / "runs", "prepare", {}, {}).finish({"labels": []})
    letter = "please write to {} about the tower"
    held = [LEARNT[0].upper(), letter.format("ann@example.com")]
    write_sealed(seal_of(prepared), [Example((Message("user", text),), ("x",)) for text in held])
    asked = [*LEARNT[:2], letter.format("ann@example.com"), letter.format("[e-mail 2]")]  # the last as a journal masks
    rows = [(chat(text, "bad"), -1, "good") for text in asked]
    write_journal(chatting / "runs" / "journal.sqlite", *rows)
    said = collect(capsys, "accept=all")
    assert said["left_out"] == {"in the sealed test": 3} and said["accepted"] == 1
    assert not openings(seal_of(prepared))
