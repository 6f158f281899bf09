"""What is too long is shortened to what serving would still read, and answers are whole or left out."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.types import Message
from dragoman.nn.marking import Marked, mark, mark_text, mark_turns
from dragoman.nn.shortening import shorten_beginning
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import write_chat
from tests.nn.tiny_lm import tokens

SYSTEM = Message("system", "be kind")


@cache
def opened(name: str) -> Tokenizer:
    """A tokenizer with a chat template."""
    if name in TEMPLATES:
        return tokens("llama", Path(mkdtemp()), TEMPLATES[name])
    return Tokenizer(write_chat(name, Path(mkdtemp())))


def said(*contents: str) -> list[Message]:
    """User and assistant in turn."""
    return [Message("assistant" if place % 2 else "user", content) for place, content in enumerate(contents)]


def shortened(name: str, room: int, *messages: Message, every: bool = True) -> Marked | None:
    found = shorten_beginning(opened(name), mark(opened(name), messages, every), room)
    assert found is None or len(found.ids) - 1 <= room
    return found


def holds(name: str, found: Marked, messages: list[Message]) -> None:
    """The row is that of a dialogue which could be served, with the same answer, and the system message in front."""
    assert found == mark(opened(name), found.messages, found.every)
    assert found.messages[-1] == messages[-1]
    assert [one for one in found.messages if one.role == "system"] == [SYSTEM]
    for one in found.messages:
        assert any(before.role == one.role and before.content.endswith(one.content) for before in messages)


@pytest.mark.parametrize("name", ["chatml", "llama", "instruct", "plain"])
def test_a_long_question_loses_its_beginning_and_nothing_else(name: str) -> None:
    messages = [SYSTEM, *said("the cat sat " * 40, "yes, it did")]
    whole = mark(opened(name), messages)
    found = shortened(name, 90, *messages)
    assert found is not None
    holds(name, found, messages)
    assert found.answers == whole.answers
    assert len(found.ids) > 80  # as much is kept as fits
    head = opened(name).dialogue([SYSTEM, Message("user", "x")])[:7]
    assert list(found.ids[:7]) == list(whole.ids[:7]) == head
    assert shortened(name, len(whole.ids) - 1, *messages) == whole


def test_the_oldest_questions_go_with_their_answers() -> None:
    messages = [SYSTEM, *said(*(f"number {place}" for place in range(8)))]
    size = len(mark(opened("chatml"), [SYSTEM, *messages[-4:]]).ids) - 1
    for room in (size, size + 3):
        found = shortened("chatml", room, *messages)
        assert found == mark(opened("chatml"), [SYSTEM, *messages[-4:]])
    found = shortened("chatml", size - 1, *messages)
    assert found == mark(opened("chatml"), [SYSTEM, *messages[-2:]])
    found = shortened("chatml", size, *messages, every=False)
    assert found is not None and opened("chatml").decode(found.answers) == "number 7"


def test_an_instruction_in_front_stays() -> None:
    found = shortened("instruct", 120, *said("Sum it up:\n\n" + "the hill " * 60, "a hill"))
    assert found is not None
    assert found.messages[0].content.startswith("Sum it up:\n\n") and found.messages[0].content.endswith("the hill ")


def test_results_of_tools_are_cut_too_and_calls_are_whole() -> None:
    call, answer = Message("assistant", '{"name": "f"}'), Message("assistant", "four")
    messages = [SYSTEM, Message("user", "go " * 30), call, Message("tool", "42 " * 60), answer]
    found = shortened("roles", 130, *messages)
    assert found is not None
    holds("roles", found, messages)
    assert found.messages[2] == call and {len(one.content) < 90 for one in found.messages} == {True}


@pytest.mark.parametrize("messages", [said("a", "hello " * 30), [Message("system", "no " * 60), *said("a b", "c")]])
def test_what_cannot_be_whole_is_left_out(messages: list[Message]) -> None:
    assert shortened("chatml", 50, *messages) is None


def test_plain_text_keeps_what_every_text_begins_with() -> None:
    given, text = opened("plain"), "the hill " * 20
    whole = mark_text(given, text)
    found = shorten_beginning(given, whole, 12)
    assert found is not None and len(found.ids) == 13 and found.ids[0] == given.bos_id
    assert found.ids[1:] == whole.ids[-12:] and found.learnt == (False, False, *[True] * 11)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab \nü", min_size=1, max_size=60), min_size=2, max_size=6), st.integers(12, 90))
def test_any_dialogue(contents: list[str], room: int) -> None:
    contents = [text if text.strip() else "a" for text in contents][: len(contents) // 2 * 2]
    for name in ("chatml", "instruct"):
        messages = [SYSTEM, *said(*contents)]
        for one in mark_turns(opened(name), messages):
            found = shorten_beginning(opened(name), one, room)
            if found is not None:
                assert len(found.ids) - 1 <= room
                assert found.answers == one.answers[-len(found.answers) :]
                assert found == mark(opened(name), found.messages, found.every)
