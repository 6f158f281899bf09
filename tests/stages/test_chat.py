"""A chat driven from a pipe: turns, commands, a full context, a Ctrl-C, a model without a chat template."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from tests.command import Said, dragoman


class Parrot:
    """Answers with the number of messages it saw and the last of them."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, str]]] = []
        self.how: list[Sampling] = []
        self.note, self.chat, self.longest = "", True, 0
        self.limit = 1000
        self.stop_at = ""

    def ids(self, prompt: Prompt) -> list[int]:
        return [0] * 30 * len(prompt)

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        if len(prompt) > self.limit:
            raise UserError("the prompt is longer than the context of this model", "say less")
        self.seen.append([(one.role, one.content) for one in prompt])
        self.how.append(how)
        yield " "
        yield f"{len(prompt)}:"
        if self.stop_at and self.stop_at in prompt[-1].content:
            raise KeyboardInterrupt
        yield f" {prompt[-1].content}"


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    lm = Parrot()
    monkeypatch.setattr("dragoman.models.open.open_lm", lambda spec, device, precision, raw: lm, raising=False)
    return lm


def chat(monkeypatch: pytest.MonkeyPatch, *lines: str, words: tuple[str, ...] = ()) -> Said:
    """A whole chat."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return dragoman("chat", "m", *words)


def test_each_line_is_a_turn_and_the_model_sees_them_all(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    said = chat(monkeypatch, "hello", "", "and now?", words=("system=Be kind.", "temperature=0.5"))
    assert (said.code, said.out) == (0, "2: hello\n4: and now?\n")
    assert parrot.seen[1] == [
        ("system", "Be kind."),
        ("user", "hello"),
        ("assistant", "2: hello"),
        ("user", "and now?"),
    ]
    assert parrot.how[0].temperature == 0.5


def test_undo_retry_and_set(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("one", "two", "/undo", "three", "/set temperature=1", "/set", "/retry", "/quit", "four")
    said = chat(monkeypatch, *lines)
    assert said.out.splitlines() == ["1: one", "3: two", "3: three", "3: three"]
    assert (parrot.how[-1].seed, parrot.how[-1].temperature) == (1, 1.0)
    assert "temperature=1.0" in said.err
    assert said.code == 0


def test_system_and_help(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    said = chat(monkeypatch, "/system Speak Latin.", "salve", "/system", "salve", "/help")
    assert [len(seen) for seen in parrot.seen] == [2, 3]
    assert "/save FILE" in said.err


def test_save_and_load(parrot: Parrot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    said = chat(monkeypatch, "one", f"/save {path}", "two", f"/save {path}", words=("system=S",))
    assert said.code == 0
    row = json.loads(path.read_text())
    assert [one["role"] for one in row["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    again = chat(monkeypatch, f"/load {path}", "three", f"/save {tmp_path / 'other.jsonl'}")
    assert parrot.seen[-1][0] == ("system", "S")
    assert len(parrot.seen[-1]) == 6
    assert "5 messages" in again.err
    other = chat(monkeypatch, "x", f"/save {path}")
    assert (other.code, "exists already" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/sav x", "did you mean '/save'?"),
        ("/save", "needs the name of a file"),
        ("/load nowhere.jsonl", "cannot be read"),
        ("/undo", "no turn yet"),
        ("/retry", "no turn yet"),
        ("/set temperature=-1", "temperature cannot be -1"),
        ("/set temprature=1", "did you mean 'temperature'?"),
        ("/set nonsense", "nonsense"),
    ],
)
def test_a_mistake_is_told_and_the_chat_goes_on(
    parrot: Parrot, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    told = chat(monkeypatch, line, "hello")
    assert said in told.err
    assert told.out == "1: hello\n"
    assert told.code == 2  # a script learns of it


def test_a_full_context_drops_the_oldest_turns_and_says_so(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    parrot.limit = 4
    said = chat(monkeypatch, "one", "two", "three", words=("system=S",))
    assert parrot.seen[-1] == [("system", "S"), ("user", "two"), ("assistant", "4: two"), ("user", "three")]
    assert "no longer sees 2 messages" in said.err
    assert said.code == 0


def test_a_model_that_tells_its_length_keeps_some_for_the_reply(
    parrot: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    parrot.longest = 100
    said = chat(monkeypatch, "one", "two", words=("max_tokens=60",))
    assert [len(seen) for seen in parrot.seen] == [1, 1]
    assert "no longer sees" in said.err


def test_one_turn_that_is_too_long_is_taken_back(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    parrot.limit = 0
    said = chat(monkeypatch, "long", "/undo")
    assert "longer than the context" in said.err
    assert "no turn yet" in said.err


def test_ctrl_c_stops_a_reply_and_not_the_chat(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    parrot.stop_at = "stop"
    said = chat(monkeypatch, "please stop", "go on")
    assert said.out == "1:\n(stopped)\n3: go on\n"
    assert parrot.seen[1][1] == ("assistant", "1:")


def test_a_model_without_a_chat_template(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    parrot.chat = False
    said = chat(monkeypatch, "one", "two", words=("system=S",))
    assert "no chat template" in said.err
    [(role, text)] = parrot.seen[1]
    assert role == "user"
    assert text.startswith("S\nUser: one\nAssistant: ")
    assert text.endswith("\nUser: two\nAssistant:")
    assert parrot.how[1].stop == ("\nUser:",)


def test_json_is_the_conversation_alone(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    said = chat(monkeypatch, "hello", words=("--json",))
    assert said.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "1: hello"}],
    }
    assert len(said.out.splitlines()) == 1


def test_what_a_chat_cannot_do(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chat(monkeypatch, words=("n=2", "temperature=1")).code == 2
    assert dragoman("chat").code == 2


def test_a_conversation_nested_too_deeply_is_none(
    parrot: Parrot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "deep.jsonl").write_text("[" * 200_000)
    assert "holds no conversation" in chat(monkeypatch, f"/load {tmp_path / 'deep.jsonl'}").err
