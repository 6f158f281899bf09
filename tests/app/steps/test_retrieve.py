"""Passages are found for a question, and for what it means in its dialogue."""

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.passages import named, numbered, said, shown
from dragoman.app.steps.retrieve import Retrieve, rewriting
from dragoman.app.turn import Turn
from dragoman.core.documents import Hit
from dragoman.core.sampling import Completion
from dragoman.core.types import Message
from tests.app.scribe import Scribe
from tests.app.shelf import Shelf, piece

SHELF = (piece("the river is long", "river.md"), piece("the tower is high", "tower.md", page=3))
DIALOGUE = (Message("system", "be kind"), Message("user", "where is the tower"), Message("assistant", "here"))


def test_passages_are_numbered_and_their_sources_named() -> None:
    shelf = Shelf(SHELF)
    turn = Assistant(NoModel(), (Retrieve(shelf.find, k=2, access=frozenset({"us"})),)).answer(["the tower"])[0]
    assert [(one.number, one.chunk.source) for one in turn.passages] == [(1, "tower.md"), (2, "river.md")]
    assert turn.sources == ("tower.md", "river.md")
    assert turn.sought == turn.question == "the tower"
    assert shelf.asked == [("the tower", 2, frozenset({"us"}))]
    assert turn.trace == ("retrieve: 2",)


def test_nothing_asked_and_nothing_found() -> None:
    shelf = Shelf(SHELF)
    blank, unknown = Retrieve(shelf.find)([Turn(" "), Turn("zebra")], NoModel())
    assert blank.passages == unknown.passages == ()
    assert [asked[0] for asked in shelf.asked] == ["zebra"]


def test_a_later_question_is_made_to_stand_alone() -> None:
    turn = Turn("how high is it?", DIALOGUE)
    asked = rewriting(turn)[-1].content
    lm = Scribe({asked: Completion('"how high is the tower?"\nsure')})
    assert Retrieve(Shelf(SHELF).find)([turn], lm)[0].sought == "how high is the tower?"
    assert "be kind" not in asked
    assert asked.endswith("last question: how high is it?")


def test_without_a_model_or_a_usable_rewriting_the_questions_are_joined() -> None:
    turn, expected = Turn("how high is it?", DIALOGUE), "where is the tower how high is it?"
    asked = rewriting(turn)[-1].content
    find = Shelf(SHELF).find
    assert Retrieve(find)([turn], NoModel())[0].sought == expected
    assert Retrieve(find, rewrite=False)([turn], Scribe())[0].sought == expected
    for useless in ("", "  \n", "x" * 2000):
        assert Retrieve(find)([turn], Scribe({asked: Completion(useless)}))[0].sought == expected
    assert Retrieve(find)([Turn("the river", DIALOGUE[:1])], Scribe())[0].sought == "the river"  # nobody asked before


def test_a_piece_found_twice_counts_once_and_its_own_marks_are_no_citations() -> None:
    chunk = piece("It was built in 1889.[4] See [12, 13].", "tower.md", page=3)
    passages = numbered([Hit(chunk, 2.0, 0.5), Hit(chunk, 1.0)])
    assert [(one.number, one.score, one.dense) for one in passages] == [(1, 2.0, 0.5)]
    assert shown(passages) == "[1] tower.md, page 3\nIt was built in 1889.(4) See (12, 13)."
    assert len(said(chunk.text)) == len(chunk.text)
    assert named(piece("x", path=("Tour", "Wheels"))) == "a.md: Tour > Wheels"
