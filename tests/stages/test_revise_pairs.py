"""Preferences over many rows: pairs that read back, what people say beside them, both orders told."""

from typing import Any

import pytest

from dragoman.app.constitution import default_constitution
from dragoman.core.sampling import Sampling
from dragoman.core.show import silent
from dragoman.core.types import Message
from dragoman.data.asked_rows import Asked
from dragoman.stages.revise_pairs import Pairs, answered, prefer
from tests.app.planted import Planted, answer_to, shown, zaps

RULES = default_constitution()


def rows(count: int) -> list[Asked]:
    found = []
    for row in range(count):
        texts = tuple(dict.fromkeys(answer_to(f"q{row}", draw) for draw in range(2)))
        if len(texts) == 2:
            best = tuple(sorted(texts, key=zaps))
            found.append(Asked(str(row), (Message("user", f"q{row}"),), best, True, row % 2 == 0))
    return found


def made(asked: list[Asked], critic: Any, **settings: Any) -> Pairs:
    return prefer(asked, critic, RULES, silent, **settings)


def test_labels_agree_with_people() -> None:
    asked = rows(300)
    found = made(asked, Planted(bias=1.0, noise=0.5))
    assert found.people is not None and found.people.share.value >= 0.95 and found.people.share.n == len(asked)
    assert found.people.kappa.value >= 0.9
    assert found.tally is not None and found.tally.consistency.n == len(asked)
    good = [zaps(row["chosen"][0]["content"]) < zaps(row["rejected"][0]["content"]) for row in found.rows]
    assert sum(good) >= 0.95 * len(good)
    assert all(0.5 < row["soft"] <= 1 and row["margin"] > 0 for row in found.rows)
    assert len(found.refusals["chosen"]) == sum(one.benign for one in asked)


def test_a_critic_that_only_sees_places_decides_nothing() -> None:
    found = made(rows(40), Planted(sure=0.0, bias=3.0))
    assert not found.rows and found.left_out == {"without a winner": len(rows(40))}
    assert found.tally is not None
    assert (found.tally.consistency.value, found.tally.first_place.value) == (0.0, 1.0)


def test_labels_of_thought_are_clamped() -> None:
    found = made(rows(20), Planted(sure=9.0), labels="think", think=Sampling(max_tokens=9))
    assert {round(row["soft"], 12) for row in found.rows} == {0.6}
    assert max(row["margin"] for row in found.rows) < 0.41


def test_a_verdict_in_words_serves_engines_without_probabilities() -> None:
    class Judge(Planted):
        def say(self, said: list[tuple[str, str]], seed: int = 0) -> str:
            assert "Which of these answers" in said[0][1]
            one, other = (zaps(shown(said[1][1], name)) for name in ("Answer A", "Answer B"))
            return "So: [[A]]" if one < other else "So: [[B]]"

        def score(self, *given: Any) -> Any:
            raise AssertionError("it has none")

    found = made(rows(40), Judge(), labels="verdict")
    assert found.people is not None and found.people.share.value == 1.0
    assert all(row["soft"] == 1.0 and "margin" not in row for row in found.rows)
    assert len({row["principle"] for row in found.rows}) > 4


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_prompts_without_answers_get_two(temperature: float) -> None:
    class Warm(Planted):
        def generate(self, prompts: Any, how: Sampling) -> Any:
            assert how.temperature == (temperature or 1.0)
            return super().generate(prompts, how)

    bare = [Asked("same", (Message("user", f"q{row}"),)) for row in range(40)]  # ids are not to be trusted
    found, left = answered([*bare, rows(3)[0]], Warm(), Sampling(temperature=temperature, seed=5), silent)
    assert found[-1] == rows(3)[0]
    assert len(found) + left["prompts without two different answers"] == 41 and len(found) > 20
    for one in found[:-1]:
        assert one.answers == tuple(answer_to(one.prompt[0].content, draw) for draw in (5, 6))
