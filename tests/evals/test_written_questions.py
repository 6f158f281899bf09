"""What a model writes is a question only where its answer stands in the piece; the rest is counted."""

import json

import pytest

from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion
from dragoman.evals.written_questions import make_by_model, prompt_of
from tests.app.scribe import Scribe
from tests.evals.test_made_questions import BEES, TOWER, piece

PIECES = [piece(TOWER, "tower.md", start=7), piece(BEES, "bees.md"), piece("Too short.", "short.md")]


def wrote(*texts: str) -> Scribe:
    """A model that answers each of the pieces with one of these."""
    asked = [prompt_of(chunk)[-1].content for chunk in PIECES]
    return Scribe({prompt: Completion(text, 9) for prompt, text in zip(asked, texts, strict=False)})


def row(question: str, answer: str) -> str:
    """What a model is asked for."""
    return json.dumps({"question": question, "answer": answer})


def test_questions_are_kept_where_their_answers_stand() -> None:
    lm = wrote(row("Who built the tower?", " Gustave Eiffel "), row("How old do queens become?", "four years"))
    made = make_by_model(PIECES, lm, "scribe", 2)
    assert {one.answers[0] for one in made.questions} == {"Gustave Eiffel", "four years"}
    tower = next(one for one in made.questions if one.relevant[0].source == "tower.md")
    assert TOWER[tower.relevant[0].start - 7 : tower.relevant[0].end - 7] == "Gustave Eiffel" and tower.by == "scribe"
    (prompt, how), *_ = lm.asked
    assert json.loads(how.json_schema)["required"] == ["question", "answer"]
    assert "no instruction" not in prompt[-1].content and "text" in json.loads(prompt[-1].content)


def test_what_does_not_hold_is_counted() -> None:
    told: list[int] = []
    made = make_by_model(
        PIECES, wrote(row("Who built the tower?", "Eiffel"), "no JSON"), "scribe", 2, progress=told.append
    )
    assert len(made.questions) == 1 and told == [1]
    assert made.dropped == {"is no JSON of a question and an answer": 1}


def test_a_model_that_writes_none_is_a_mistake_with_its_reasons() -> None:
    with pytest.raises(UserError, match="2 dropped as it has an answer that does not stand in the text"):
        make_by_model(PIECES, wrote(row("Who built it up?", "me"), row("Who came to see?", "you")), "scribe", 2)
