"""The step that asks the nearest labelled examples."""

import numpy as np
import pytest

from dragoman.app.assistant import NoModel
from dragoman.app.steps.few_shot import FewShot
from dragoman.app.turn import Turn
from tests.app.fakes import WordEmbedder

EMBEDDER = WordEmbedder(("barks", "purrs", "bone", "milk"))
TEXTS = ("it barks", "a bone", "it purrs", "some milk", "barks bone")
ANSWERS = (("dog",), ("dog",), ("cat",), ("cat",), ("dog",))
STEP = FewShot(EMBEDDER, EMBEDDER.embed(TEXTS), ANSWERS, ("cat", "dog"), neighbours=3)


def ask(step: FewShot, question: str) -> dict[str, float]:
    return dict(step([Turn(question)], NoModel())[0].answer.scores)


def test_the_nearest_examples_vote() -> None:
    turns = STEP([Turn("who barks for a bone"), Turn("who purrs")], NoModel())
    assert [turn.answer.text for turn in turns] == ["dog", "cat"]
    assert abs(sum(turns[0].answer.scores.values()) - 1) < 1e-12
    assert min(turns[0].answer.scores.values()) > 0  # no label is impossible
    assert turns[0].trace == ("few_shot",)


def test_a_text_is_not_its_own_neighbour() -> None:
    wrong = FewShot(EMBEDDER, EMBEDDER.embed(TEXTS), (("cat",), *ANSWERS[1:]), ("cat", "dog"), neighbours=1)
    assert ask(wrong, "it barks")["cat"] > 0.5  # it finds itself, with its wrong label
    blind = FewShot(wrong.embedder, wrong.vectors, wrong.answers, wrong.labels, TEXTS, neighbours=1)
    assert ask(blind, "it barks")["dog"] > 0.5


def test_more_neighbours_than_examples() -> None:
    assert FewShot(EMBEDDER, STEP.vectors, ANSWERS, STEP.labels, neighbours=50)([Turn("milk")], NoModel())


def test_several_labels() -> None:
    answers = (("pet", "dog"), ("dog",), ("pet", "cat"), ("pet", "cat"), ())
    step = FewShot(EMBEDDER, STEP.vectors, answers, ("pet", "dog", "cat"), neighbours=2, multi_label=True)
    assert step([Turn("purrs")], NoModel())[0].answer.labels == ("pet", "cat")


def test_tuned_by_leaving_out() -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["barks", "bone"] if dog else ["purrs", "milk"], 3)) for dog in [0, 1] * 20]
    answers = tuple(("dog",) if dog else ("cat",) for dog in [0, 1] * 20)
    step = FewShot(EMBEDDER, EMBEDDER.embed(texts), answers, ("cat", "dog"))
    setting = step.setting()
    assert setting.accuracy == 1.0
    tuned = step.tuned()
    assert (tuned.neighbours, tuned.temperature) == (setting.neighbours, setting.temperature)


def test_what_does_not_pair_up_is_refused() -> None:
    with pytest.raises(ValueError, match="5 vectors, 1 answers"):
        FewShot(EMBEDDER, STEP.vectors, ANSWERS[:1], STEP.labels)
