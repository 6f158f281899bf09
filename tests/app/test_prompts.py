"""Prompts are files: their slots are known, their values stay values, and a letter more is another version."""

import hashlib
from pathlib import Path

import pytest

from dragoman.app.prompts import PromptFile, prompt_told, read_prompt
from dragoman.core.errors import UserError


def test_slots_are_filled_once() -> None:
    prompt = PromptFile("p", "Speak of {topic} in {{braces}}, {topic} and {tone_2}.")
    assert prompt.slots == ("topic", "tone_2")
    assert prompt.filled({"topic": "{tone_2} }}", "tone_2": "x\\1"}) == (
        "Speak of {tone_2} }} in {braces}, {tone_2} }} and x\\1."
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"topic": "a"}, "needs a value for {tone}"),
        ({"topic": "a", "tone": "b", "x": "c"}, "has no slot {x}"),
    ],
)
def test_no_slot_is_left_and_none_is_made_up(values: dict[str, str], why: str) -> None:
    with pytest.raises(UserError, match=why):
        PromptFile("p", "{topic} {tone}").filled(values)


@pytest.mark.parametrize("text", ["a { b", "a } b", "{Topic}", "{0}", "{a.b}", "{a!r}", "{}", " "])
def test_what_is_no_slot_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        PromptFile("p", text)


def test_a_version_is_what_it_says() -> None:
    one, other = PromptFile("p", "Be kind."), PromptFile("p", "Be kind!", "about")
    assert one.version == hashlib.sha256(b"Be kind.").hexdigest()
    assert one.mark == f"prompt p@{one.version[:12]}" != other.mark
    assert PromptFile("p", "Be kind.", "other words about it").mark == one.mark


def test_files(tmp_path: Path) -> None:
    (tmp_path / "kind.md").write_bytes(b"\nBe {how}.\r\nAlways.\n")
    assert read_prompt(tmp_path / "kind.md") == PromptFile("kind", "Be {how}.\nAlways.")
    (tmp_path / "a.toml").write_text('name = "greet"\nabout = "x"\ntext = """\nHello {who}.\n"""')
    assert read_prompt(str(tmp_path / "a.toml")) == PromptFile("greet", "Hello {who}.", "x")


@pytest.mark.parametrize(
    ("name", "held", "why"),
    [
        ("a.toml", b'txt = "x"', "has a 'txt'"),
        ("a.toml", b"text = 1", "is no text"),
        ("a.toml", b'name = "x"', "says nothing"),
        ("a.toml", b'name = "../x"\ntext = "x"', "no name of a prompt"),
        ("a.toml", b"text", "not valid TOML"),
        ("a.md", b"\xff", "not UTF-8"),
        ("a.md", b"line\n{", "line 2"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, name: str, held: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(held)
    with pytest.raises(UserError, match=why):
        read_prompt(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no prompt"):
        read_prompt(tmp_path / "none.md")


def test_an_answer_tells_which_prompt_it_was_written_by() -> None:
    mark = PromptFile("greet", "Hello.").mark
    assert prompt_told(("tidy", mark, "instruct@0123456789ab")) == mark.removeprefix("prompt ")
    assert prompt_told(("tidy", "instruct@0123456789ab", "write")) == "instruct@0123456789ab"
    assert prompt_told(("cite@0123456789ab", "cite: the model found no answer")) == "cite@0123456789ab"
    assert prompt_told(("retrieve: 2", "quote")) == ""
