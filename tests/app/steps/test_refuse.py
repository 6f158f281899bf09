"""What is not in the documents is said not to be there."""

from dataclasses import replace

import numpy as np
import pytest

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.refusal import calibrate, surety
from dragoman.app.steps.refuse import Refuse
from dragoman.app.steps.retrieve import Retrieve
from dragoman.app.turn import Turn
from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.errors import UserError
from tests.app.shelf import Shelf, passage, piece


def test_nothing_found_is_always_refused() -> None:
    empty = Shelf(())
    assistant = Assistant(NoModel(), (Retrieve(empty.find), Refuse(-np.inf)))
    turns = assistant.answer([f"question {number}" for number in range(100)])
    assert all(turn.refused and turn.answer.text == NOT_IN_DOCUMENTS and not turn.citations for turn in turns)


def test_what_is_below_the_threshold_is_refused() -> None:
    shelf = Shelf((piece("the tower is high"),))
    near, far = Assistant(NoModel(), (Retrieve(shelf.find), Refuse(2.0))).answer(["the tower", "a tower"])
    assert not near.refused and near.answer.text == ""
    assert far.refused and far.trace[-1] == "refuse: 1.000 is below 2.000"


def test_cosines_count_before_fused_scores() -> None:
    fused = passage("a", score=0.9)
    assert surety((fused, replace(fused, dense=0.2, score=0.1), replace(fused, dense=0.4))) == 0.4
    assert surety((fused, replace(fused, score=float("nan")))) == 0.9
    assert surety(()) == -np.inf
    assert Refuse(0.3)([Turn("q", passages=(replace(fused, dense=0.2),))], NoModel())[0].refused


def test_the_threshold_lies_between_and_its_errors_are_those_of_new_questions() -> None:
    random = np.random.default_rng(0)
    truth = np.arange(2000) % 2 == 0
    scores = (np.where(truth, 0.6, 0.4) + 0.1 * random.normal(size=2000)).tolist()
    found = calibrate(scores, truth.tolist())
    assert 0.45 < found.threshold < 0.55
    rates = found.false_refusals, found.false_answers
    assert sum(rate.value for rate in rates) == pytest.approx(2 * 0.1587, abs=0.04)  # one standard deviation off
    assert all(rate.n == 1000 and rate.low < rate.value < rate.high for rate in rates)
    careful = calibrate(scores, truth.tolist(), most_false_refusals=0.02)
    assert careful.threshold < found.threshold
    assert careful.false_refusals.value < 0.04 < careful.false_answers.value
    apart = calibrate([0.9] * 10 + [-np.inf] * 5 + [0.1] * 5, [True] * 10 + [False] * 10)
    assert apart.threshold == pytest.approx(0.5)
    assert apart.false_refusals.value == apart.false_answers.value == 0.0


def test_scores_that_say_nothing_err_as_often_as_chance() -> None:
    random = np.random.default_rng(1)
    truth = np.arange(600) % 2 == 0
    found = calibrate(random.normal(size=600).tolist(), truth.tolist())
    assert found.false_refusals.value + found.false_answers.value > 0.85


def test_too_few_questions_choose_nothing() -> None:
    with pytest.raises(UserError, match="from 9 questions without"):
        calibrate([0.5] * 29, [True] * 20 + [False] * 9)
    with pytest.raises(ValueError, match="2 scores"):
        calibrate([0.1, 0.2], [True])
