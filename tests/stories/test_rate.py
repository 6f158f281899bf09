"""People rate in a terminal and on a page, are killed and go on, and what they decided is read as preferences."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.data.load import load
from tests.command import ROOT, dragoman, ended, spawn
from tests.stories.test_serve import request

SETS = [
    {"prompt": "Say hello", "completions": ["good 1", "bad 1"], "models": ["new", "old"]},
    {"prompt": "Say more", "completions": ["bad 2", "good 2", "fair 2"], "models": ["old", "new", "middle"]},
    {"prompt": "Say no", "completions": ["\x1b[2J<b>bad</b> 3", "good 3"], "models": ["old", "new"]},
    {"prompt": "Say yes", "completions": ["good 4", "bad 4"], "models": ["new", "old"]},
]


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A folder with four items."""
    text = "".join(json.dumps(row) + "\n" for row in SETS)
    (tmp_path / "completions.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def journal(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of the journal."""
    path = folder / "completions.ratings.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def keys_for(folder: Path, rater: str, *words: str) -> str:
    """The keys that put the completions with these words first, item by item, as this rater sees them."""
    from dragoman.data.ratings import Journal
    from dragoman.data.ratings_desk import Desk
    from dragoman.data.ratings_read import read_items

    items = read_items(str(folder / "completions.jsonl"))[0]
    desk = Desk(items, Journal(folder / "nothing.jsonl"))
    keys = ""
    for item in items:
        shown = [item.completions[place] for place in desk.order(rater, item)]
        keys += "".join(
            str(1 + next(i for i, text in enumerate(shown) if word in text)) for word in words[: len(shown) - 1]
        )
        keys += "\n"
    return keys


def rated(folder: Path, rater: str, keys: str, *words: str) -> Any:
    """One rater at the terminal, keys piped in."""
    return dragoman("rate", "completions.jsonl", "--terminal", f"rater={rater}", *words, folder=folder, said=keys)


def test_keys_are_piped_and_the_export_is_read(sets: Path) -> None:
    said = rated(sets, "anna", keys_for(sets, "anna", "good", "fair"))
    assert said.code == 0
    assert "4 of 4" in said.err
    assert "\x1b[2J" not in said.out and "<b>bad</b> 3" in said.out  # shown, never obeyed
    assert not {"new", "middle"} & set(said.out.split("win rate")[0].split())  # blind
    rated(sets, "ben", keys_for(sets, "ben", "good", "fair").replace("\n", "", 1) + "u0\n")  # the last one is a tie
    rated(sets, "carl", "s" + keys_for(sets, "carl", "good", "fair").partition("\n")[2])
    told = dragoman("rate", "completions.jsonl", "export=pairs.jsonl", "--json", folder=sets).json
    assert told["raters"] == {
        "anna": {"ranked": 4, "skipped": 0},
        "ben": {"ranked": 4, "skipped": 0},
        "carl": {"ranked": 3, "skipped": 1},
    }
    assert told["export"] == {"file": "pairs.jsonl", "pairs": 6, "ties": 0, "alone": 0, "gone": 0}
    assert 0.5 < told["agreement"]["nominal"]["value"] < 1
    assert told["models"]["new"]["losses"] == 0
    loaded = load(str(sets / "pairs.jsonl"), task="chat")
    assert loaded.shape == "preference" and not loaded.problems
    assert all("good" in one.answers[0] for one in loaded.examples if "good" in one.answers[0] + one.rejected)
    each = dragoman("rate", "completions.jsonl", "export=each.jsonl", "votes=each", "--json", folder=sets).json
    assert (each["export"]["pairs"], each["export"]["ties"]) == (6 + 5 + 5, 1)
    plain = dragoman("rate", "completions.jsonl", "--agreement", folder=sets)
    assert "alpha, nominal" in plain.whole and "win rate" in plain.whole


def test_the_criterion_may_be_the_scopes_own_or_any_words(sets: Path) -> None:
    told = '[scope]\nobjective = "Greet people politely."\n[data]\nsource = "completions.jsonl"\n'
    (sets / "dragoman.toml").write_text(told, encoding="utf-8")
    said = rated(sets, "anna", "0", "criterion=scope", "--json")
    assert said.json["criterion"] == "Greet people politely."
    assert "Which answer is better by this: Greet people politely." in said.err
    assert rated(sets, "anna", "", "criterion=it rhymes", "--json").json["done"] == 0
    assert "less harm" in rated(sets, "anna", "", "criterion=harmless").err


def test_a_wrong_key_is_told_and_q_leaves(sets: Path) -> None:
    said = rated(sets, "anna", "x9q1")
    assert "x is no key here" in said.err and "0 of 4" in said.err
    assert journal(sets) == []


def test_killed_in_the_middle_nothing_acknowledged_is_lost(sets: Path) -> None:
    """SIGKILL after each acknowledged key; then a torn line is left behind; the same command goes on."""
    for count in (1, 2):
        with subprocess.Popen(
            [sys.executable, "-m", "dragoman", "rate", "completions.jsonl", "--terminal", "rater=anna"],
            cwd=sets,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdin is not None
            assert running.stderr is not None
            running.stdin.write("0\n")
            running.stdin.flush()
            for line in running.stderr:
                if line.startswith(f"{count} of 4 done"):
                    break
            running.kill()
        assert len(journal(sets)) == count
    with (sets / "completions.ratings.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"rating": 1, "act": "ra')
    said = rated(sets, "anna", "00")
    assert "breaks off and is left out" in said.err
    assert "4 of 4" in said.err
    again = dragoman("rate", "completions.jsonl", "--agreement", "--json", "rater=anna", folder=sets)
    assert again.json["done"] == 4
    assert "1 line of" in again.err


@pytest.fixture
def page(sets: Path) -> Iterator["subprocess.Popen[str]"]:
    """The page as a process of its own; killed where a test did not stop it."""
    running = spawn("rate", "completions.jsonl", "rater=anna", "port=0", folder=sets)
    with running:
        yield running
        running.kill()


def test_two_at_once_and_a_page_that_is_stopped(sets: Path, page: "subprocess.Popen[str]") -> None:
    assert page.stderr is not None
    line = next((line for line in page.stderr if line.startswith("rating at http://127.0.0.1:")), "")
    assert line
    url = line.split()[2].rstrip("/")
    for rater in ("anna", "ben"):
        view = json.loads(request(f"{url}/view?rater={rater}")[1])
        body = {"rater": rater, "act": "rank", "item": view["item"]["key"], "picked": [0]}
        assert request(f"{url}/judge", body)[0] == 200
    assert rated(sets, "carl", "0000").code == 0  # another process, the same journal
    assert json.loads(request(f"{url}/view?rater=carl")[1])["item"] is None
    with urllib.request.urlopen(f"{url}/", timeout=10) as opened:
        assert "script-src 'self'" in opened.headers["Content-Security-Policy"]
    page.send_signal(signal.SIGTERM)
    _, err = ended(page)
    assert page.returncode == 143
    assert "all is saved" in err
    assert [one["rater"] for one in journal(sets)] == ["anna", "ben", *["carl"] * 4]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_in_a_terminal_a_key_needs_no_return(sets: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dragoman", "rate", "completions.jsonl", "--terminal", "rater=anna"],
        cwd=sets,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("0 of 4 done"):
                break
        os.write(ours, b"0\x1b[A\x1bOS")  # a tie, and two keys that say nothing
        for line in running.stderr:
            if line.startswith("1 of 4 done"):
                break
        os.write(ours, b"sq")
        assert running.wait(20) == 0
    os.close(ours)
    os.close(theirs)
    assert [one["act"] for one in journal(sets)] == ["rank", "skip"]


def test_thumbs_are_taken_in_once_and_exported(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Say hello"}]
    rows = [
        {"messages": [*asked, {"role": "assistant", "content": text}], "label": up}
        for text, up in (("Hello", True), ("Go away", False), ("Hey", True))
    ]
    (tmp_path / "up.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    first = dragoman("rate", "thumbs=up.jsonl", "--json", "out=j.jsonl", folder=tmp_path).json
    assert first["thumbs"] == {"up": 2, "down": 1, "known": 0}
    again = dragoman("rate", "thumbs=up.jsonl", "--json", "out=j.jsonl", "export=pairs.jsonl", folder=tmp_path).json
    assert (again["thumbs"]["known"], again["export"]["pairs"]) == (3, 2)
    loaded = load(str(tmp_path / "pairs.jsonl"), task="chat")
    assert [(one.answers[0], one.rejected) for one in loaded.examples] == [("Hello", "Go away"), ("Hey", "Go away")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing is named to rate"),
        (("nothing.jsonl",), "there is no file"),
        (("completions.jsonl", "rater=a\tb"), "no name for a rater"),
        (("completions.jsonl", "criterion="), "there is no criterion"),
        (("completions.jsonl", "criterion=scope"), "there is no project file"),
        (("completions.jsonl", "out=completions.jsonl"), "holds what was read"),
        (("completions.jsonl", "export=completions.jsonl"), "is read by this command"),
        (("completions.jsonl", "export=pairs.jsonl"), "no pair is decided"),
        (("completions.jsonl", "between=a,b"), "both a file and runs"),
        (("completions.jsonl", "port=99999"), "is not a port"),
        (("between=only",), ""),
        (("thumbs=completions.jsonl",), "4 problems"),
    ],
    ids=str,
)
def test_mistakes_are_told_before_anything_is_written(sets: Path, words: tuple[str, ...], told: str) -> None:
    said = dragoman("rate", *words, folder=sets)
    assert said.code == 2
    assert told in said.err
    assert [file.name for file in sets.iterdir()] == ["completions.jsonl"]


def test_two_evaluations_are_compared(tmp_path: Path) -> None:
    """Their answers to the same texts become items; equal answers are left out."""
    for name, answers in (("evaluate-aaaa", ("yes", "no")), ("evaluate-bbbb", ("no", "no"))):
        folder = tmp_path / "runs" / name
        (folder / "predictions").mkdir(parents=True)
        rows = [{"id": str(i), "text": f"ask {i}", "answer": text} for i, text in enumerate(answers)]
        (folder / "predictions" / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        record = {"id": name, "verb": "evaluate", "status": "done", "started": "", "results": {}, "inputs": {}}
        (folder / "run.json").write_text(json.dumps({**record, "settings": {}, "version": "0", "seconds": 1}))
    words = ("rate", "between=evaluate-aaaa,evaluate-bbbb", "--terminal", "--json", "rater=anna")
    said = dragoman(*words, folder=tmp_path, said="0\n")
    assert said.code == 0, said
    assert "the answers are the same" in said.err
    assert (said.json["items"], said.json["done"]) == (1, 1)
    assert said.json["models"]["evaluate-aaaa"]["ties"] == 1
