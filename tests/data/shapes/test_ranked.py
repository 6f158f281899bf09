"""Several rated answers to one prompt, in each form that public sets have them: best against worst."""

from typing import Any

import pytest

from dragoman.data.shapes.ranked import Ranked
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped, turns

TEXTS = ["So so.", "Good day.", "Go away."]


def feedback(*scores: Any, name: str = "overall_score") -> dict[str, Any]:
    answers = [{"response": text, "model": "m", name: score} for text, score in zip(TEXTS, scores, strict=False)]
    return {"instruction": "Hello.", "completions": answers}


def beside(name: str, *values: Any) -> dict[str, Any]:
    return {"prompt": "Hello.", "responses": TEXTS, name: list(values)}


@pytest.mark.parametrize(
    ("row", "margin"),
    [
        (feedback(5, 8.5, 1), 7.5),
        (feedback("5", "8.5", "1", name="rating"), 7.5),
        (feedback(2, 1, 3, name="rank"), None),
        (beside("scores", 0.5, 0.75, 0.25), 0.5),
        (beside("ranks", 2, 1, 3), None),
        ({**beside("ranks", 2, 1, 3), "prompt": "\n\nHuman: Hello.\n\nAssistant:"}, None),
        ({**beside("ranks", 2, 1, 3), "prompt": [{"role": "user", "content": "Hello."}]}, None),
    ],
)
def test_every_form_gives_best_against_worst(row: dict[str, Any], margin: float | None) -> None:
    assert Ranked.fits(schema(row)) > 0.9
    shape, said = Ranked.choose(schema(row), Wanted())
    example = shaped(shape, row)
    assert turns(example) == [("user", "Hello.")]
    assert (example.answers, example.rejected) == (("Good day.",), "Go away.")
    assert example.meta.get("margin") == margin
    assert notes(shape, row) == ("middle-answer",)
    assert said[-1] == "a row gives one pair: its best answer against its worst"


def test_what_is_no_ranking() -> None:
    assert Ranked.fits(schema({"prompt": "a", "completions": ["b", "c"]})) == 0.0
    assert Ranked.fits(schema({"question": "a", "answers": [{"text": "b", "answer_start": 1}]})) == 0.0
    assert Ranked.fits(schema({"prompt": "a", "answers": ["b", "c"], "scores": 3})) == 0.0
    assert Ranked.fits(schema({"text": "a", "label": "b"})) == 0.0


def test_ties_and_answers_without_a_score() -> None:
    shape, _ = Ranked.choose(schema(feedback(1, 2, 3)), Wanted())
    tied = shaped(shape, feedback(4, 4))
    assert (tied.answers, tied.rejected, notes(shape, feedback(4, 4))) == (("So so.",), "", ("tied-answers",))
    assert notes(shape, feedback(4, "N/A", 2)) == ("unrated-answer",)
    mixed = {
        "prompt": "a",
        "completions": [{"text": "b", "score": 1}, {"text": "c", "rank": 1}, {"text": "d", "score": 0}],
    }
    assert (shaped(Ranked(), mixed).answers, notes(Ranked(), mixed)) == (("b",), ("unrated-answer",))
    blank = {**beside("scores", 3, 1, 2), "responses": ["", "b", [{"role": "assistant", "content": "c"}]]}
    shape = Ranked(answers="responses", scores="scores")
    assert (shaped(shape, blank).rejected, notes(shape, blank)) == ("b", ("empty-completion",))


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({**beside("scores", 1, 2)}, "uneven-lists"),
        ({**beside("scores", 1, 2, 3), "scores": 4}, "uneven-lists"),
        (beside("scores", 1, None, None), "few-answers"),
        ({**beside("scores", 1, 2, 3), "scores": None}, "missing-value"),
        ({**beside("scores", 1, 2, 3), "responses": ["a", 5, "b"]}, "wrong-type"),
        ({**beside("scores", 1, 2, 3), "responses": "a"}, "wrong-type"),
        ({**beside("scores", 1, 2, 3), "responses": None}, "missing-value"),
        ({**beside("scores", 1, 2, 3), "prompt": ""}, "empty-text"),
        ({**beside("scores", 1, 2, 3), "prompt": [{"role": "system", "content": "x"}]}, "no-question"),
    ],
)
def test_what_is_refused(row: dict[str, Any], name: str) -> None:
    assert refused(Ranked("prompt", answers="responses", scores="scores"), row) == name
