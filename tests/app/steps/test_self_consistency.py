"""The answer of most: as often right as the multinomial says, ties by who came first, numbers by what they are."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dragoman.app.assistant import NoModel
from dragoman.app.steps.self_consistency import SelfConsistency, normal_answer
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Answer, Message


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1,234.", "1234"),
        ("#### 1234", "1234"),
        ("$1234.00", "1234"),
        ("12 apples", "12"),
        ("-3.50", "-3.5"),
        ("Yes!", "yes"),
        ("  The  Answer ", "the answer"),
        ("3 or 4", "3 or 4"),
        ("７", "7"),
    ],
)
def test_answers_that_say_the_same_are_the_same(text: str, normal: str) -> None:
    assert normal_answer(text) == normal


class Loaded:
    """A step that draws its answer by the seed that the model is asked with."""

    def __init__(self, chances: dict[str, float]) -> None:
        self.chances = chances

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """One draw a turn."""
        found = lm.generate([[Message("user", turn.question)] for turn in turns], Sampling())
        return [replace(turn, answer=Answer(one.text, tokens=1)) for turn, one in zip(turns, found, strict=True)]


class Dice:
    """A model whose answer depends on question and seed alone."""

    def __init__(self, chances: dict[str, float]) -> None:
        self.chances = chances

    def generate(self, prompts: Sequence[Sequence[Message]], how: Sampling) -> list[Completion]:
        """Drawn."""
        assert how.temperature == 0.7
        names, weights = list(self.chances), list(self.chances.values())
        drawn = [random.Random(f"{one[-1].content} {how.seed}").choices(names, weights)[0] for one in prompts]
        return [Completion(text, 1) for text in drawn]


def test_most_are_right_as_often_as_the_closed_form_says() -> None:
    chances, samples, count = {"7": 0.5, "8": 0.3, "9": 0.2}, 5, 2000
    expected = 0.0
    for draws in itertools.product(chances, repeat=samples):
        votes = Counter(draws)
        winner = next(one for one in draws if votes[one] == max(votes.values()))
        expected += math.prod(chances[one] for one in draws) * (winner == "7")
    step = SelfConsistency(Loaded(chances), samples)
    turns = step([Turn(f"question {row}") for row in range(count)], Dice(chances))  # type: ignore[arg-type]
    share = sum(turn.answer.text == "7" for turn in turns) / count
    assert abs(share - expected) < 3 * math.sqrt(expected * (1 - expected) / count)
    assert share > 0.5 + 0.05  # better than one draw
    assert {turn.answer.tokens for turn in turns} == {samples}
    assert all(0 < turn.answer.scores["agreement"] <= 1 for turn in turns)


def test_of_equally_many_the_first_is_taken_and_blank_ones_do_not_vote() -> None:
    said = iter(["", "b", "a", "A!", "b."])

    def inner(turns: Sequence[Turn], lm: LM) -> list[Turn]:
        return [replace(turn, answer=Answer(next(said))) for turn in turns]

    (turn,) = SelfConsistency(inner, 5)([Turn("q")], NoModel())
    assert turn.answer.text == "b" and turn.trace[-1] == "self_consistency: 2 of 5"


def test_without_luck_there_is_nothing_to_agree_on() -> None:
    with pytest.raises(UserError):
        SelfConsistency(lambda turns, lm: list(turns), temperature=0.0)
