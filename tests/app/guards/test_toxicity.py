"""A model that learnt it says which texts hurt."""

import numpy as np
import pytest

from dragoman.app.guards.toxicity import LabelledReward, Toxicity
from dragoman.core.errors import UserError
from tests.app.fakes import ReadingModel

JUDGE = LabelledReward(ReadingModel(), ("kind", "rude", "cruel"), ("rude", "cruel"))


def test_bad_labels_count_against_a_text() -> None:
    worth = JUDGE.rate([(), ()], ["a kind word", "a rude word"])
    assert worth == pytest.approx([9 / 11, 1 / 11])
    assert Toxicity(JUDGE).refuses([(), ()], ["a kind word", "a rude word"]) == ["", "toxicity: 0.091 is below 0.500"]
    assert Toxicity(JUDGE).refuses([], []) == [] and len(JUDGE.rate([], [])) == 0


def test_a_worth_that_is_no_number_withholds() -> None:
    class Broken:
        def rate(self, prompts: object, answers: object) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
            return np.array([np.nan])

    assert Toxicity(Broken()).refuses([()], ["x"])[0]  # type: ignore[arg-type]


def test_the_threshold_is_chosen_on_texts_of_both_kinds() -> None:
    clean, toxic = [f"kind {number}" for number in range(12)], [f"cruel {number}" for number in range(12)]
    found, errors = Toxicity(JUDGE, 0.0).calibrated(clean, toxic)
    assert errors.false_answers.value == 0.0 and 1 / 11 < found.threshold < 9 / 11


def test_a_bad_label_that_is_none_is_a_mistake() -> None:
    for bad in (("mean",), ()):
        with pytest.raises(UserError, match="no bad label"):
            LabelledReward(ReadingModel(), ("kind",), bad).rate([()], ["a"])
