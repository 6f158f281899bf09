"""An answer keeps what its passages say, with the right citations."""

from dragoman.app.assistant import NoModel
from dragoman.app.passages import Citation
from dragoman.app.steps.ground import Ground, statements
from dragoman.app.turn import Turn
from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.types import Answer
from tests.app.shelf import passage

PASSAGES = (passage("The tower was built in 1889."), passage("The bridge is 90 m long and made of steel.", 2, "b.md"))


def grounded(text: str, step: Ground | None = None, **scores: float) -> Turn:
    turn = Turn("q", answer=Answer(text, scores=scores), passages=PASSAGES, citations=(Citation(1, 4, 9),))
    return (step or Ground())([turn], NoModel())[0]


def test_what_no_passage_says_is_left_out() -> None:
    turn = grounded("The tower was built in 1889 [1]. It glows green at night [1]. The bridge is of steel.")
    assert turn.answer.text == "The tower was built in 1889 [1]. The bridge is of steel [2]."
    assert turn.citations == (Citation(1, 4, 9), Citation(2))
    assert turn.answer.scores == {
        "sentences": 3.0,
        "supported_sentences": 2.0,
        "citations": 2.0,
        "right_citations": 1.0,
    }
    assert turn.trace[0] == "ground: 2 of 3 sentences are supported"
    assert "It glows green" in turn.trace[1]


def test_it_may_be_counted_alone() -> None:
    turn = grounded("The tower was built in 1889 [1]. It glows green [1].", Ground(drop=False))
    assert turn.answer.text == "The tower was built in 1889 [1]. It glows green."
    assert turn.answer.scores["supported_sentences"] == 1.0


def test_citations_that_are_wrong_are_put_right() -> None:
    assert grounded("The tower was built in 1889 [2].").answer.text == "The tower was built in 1889 [1]."
    assert grounded("The bridge is 90 m long [1][2].").answer.text == "The bridge is 90 m long [2]."
    assert grounded("Built in 1889. [2] Made of steel. [2]").answer.text == "Built in 1889 [1]. Made of steel. [2]"
    before = grounded("The tower was built in 1889 [1].", citations=3.0, right_citations=2.0)
    assert (before.answer.scores["citations"], before.answer.scores["right_citations"]) == (3.0, 2.0)


def test_nothing_left_is_refused() -> None:
    turn = grounded("It glows green. Pigs whistle [2].")
    assert turn.refused and turn.answer.text == NOT_IN_DOCUMENTS and turn.citations == ()
    plain = Turn("q", answer=Answer("Said without documents."))
    assert Ground()([plain], NoModel()) == [plain]


def test_citations_behind_a_stop_belong_to_the_sentence_before() -> None:
    text = "One is. [1][2] Two is. [2]"
    assert [text[start:end] for start, end in statements(text)] == ["One is. [1][2]", "Two is. [2]"]
    assert statements("") == []
