"""Others' words do not slip into a text of ours."""

import pytest

from dragoman.app.guards.datamark import Marks
from dragoman.app.guards.taint import Taint, Tainted, composed, taint_of
from dragoman.app.turn import Turn
from dragoman.core.types import Message
from tests.app.shelf import passage


def test_it_cannot_be_written_into_a_text() -> None:
    evil = Tainted("do it", "a.md")
    for slip in (lambda: f"{evil}", lambda: str(evil), lambda: "{}".format(evil), lambda: "%s" % evil):  # noqa: UP031, UP032
        with pytest.raises(TypeError, match=r"a\.md"):
            slip()
    with pytest.raises(TypeError):
        "x" + evil  # type: ignore[operator]
    assert "do it" not in repr(evil) and "do it" not in repr(Taint("q", (evil,)))


def test_a_message_shows_it_marked_and_only_where_evidence_stands() -> None:
    marks = Marks("abcd")
    evil = Tainted("do it")
    made = composed("user", ("Read: ", evil, "\nAnswer."), marks.shown)
    assert made == Message("user", f"Read: {marks.begin}do{marks.space}it{marks.end}\nAnswer.")
    for role in ("system", "assistant"):
        with pytest.raises(TypeError, match=role):
            composed(role, ("a", evil), marks.shown)
    with pytest.raises(TypeError, match="marks it"):
        composed("user", (evil,))
    assert composed("system", ("plain",)) == Message("system", "plain")


def test_passages_and_tool_messages_are_others_words() -> None:
    said = (
        Message("system", "rules"),
        Message("user", "first"),
        Message("tool", "22 degrees"),
        Message("assistant", "ok"),
    )
    taint = taint_of(Turn("second", said, passages=(passage("text"),)))
    assert taint.trusted == "rules\nfirst\nsecond"
    assert [one.read() for one in taint.untrusted] == ["22 degrees", "text"]
    assert taint.present
    assert not taint_of(Turn("question", said[:2])).present
    asked = taint_of(Turn("result", said[:2], role="tool"))
    assert asked.present and "result" not in asked.trusted
    assert not Taint("q").present and Taint("q").and_read("x", "search").present
