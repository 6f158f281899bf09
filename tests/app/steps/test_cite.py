"""A model answers from the passages; what it claims to take from them is so."""

from dragoman.app.assistant import Assistant
from dragoman.app.passages import Citation
from dragoman.app.steps.cite import Cite, grounded_prompt
from dragoman.app.steps.retrieve import Retrieve
from dragoman.app.turn import Turn
from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.sampling import Completion
from dragoman.core.types import Message
from tests.app.scribe import Scribe
from tests.app.shelf import Shelf, passage, piece


def answered(text: str, finish: str = "stop") -> Turn:
    turn = Turn("how high?", passages=(passage("The tower is 330 m high."),))
    asked = grounded_prompt(turn, Cite().request)[-1].content
    return Cite()([turn], Scribe({asked: Completion(text, 7, finish)}))[0]


def test_the_prompt_holds_rules_dialogue_passages_and_question() -> None:
    before = (Message("system", "be kind"), Message("user", "hi"), Message("assistant", "hello"))
    turn = Turn("how high?", before, passages=(passage("It is 330 m high.[9]", 2),))
    system, *dialogue, asked = grounded_prompt(turn, "rules")
    assert system == Message("system", "be kind\n\nrules")
    assert tuple(dialogue) == before[1:]
    assert asked == Message("user", "Passages:\n\n[2] a.md\nIt is 330 m high.(9)\n\nQuestion: how high?")
    assert NOT_IN_DOCUMENTS in Cite().request


def test_a_checked_answer() -> None:
    turn = answered('It is "330 m high" [1], and old [2].')
    assert turn.answer.text == 'It is "330 m high" [1], and old.'
    assert turn.citations == (Citation(1, 13, 23),)
    assert (turn.answer.tokens, turn.answer.finish) == (7, "stop")
    assert turn.answer.scores == {"citations": 3.0, "right_citations": 2.0}
    assert turn.trace[0].startswith("cite@") and turn.trace[1:] == ("cite: there is no passage [2]",)


def test_refusals() -> None:
    for text in ("", "Not in the documents."):
        turn = answered(text)
        assert turn.refused and turn.answer.text == NOT_IN_DOCUMENTS and turn.citations == ()
    assert not answered("", "refused").refused  # too long a prompt is no statement about the documents
    lm = Scribe()
    found = Assistant(lm, (Retrieve(Shelf((piece("a tower"),)).find), Cite())).answer(["zebra", "tower"])
    assert [turn.refused for turn in found] == [True, False]
    assert len(lm.asked) == 1  # where nothing was found, no model is asked
