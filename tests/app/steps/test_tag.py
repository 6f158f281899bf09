"""The step that tags words: a tagger's tags as they are, another model's made to fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dragoman.app.steps.tag import Tag
from dragoman.app.turn import Turn
from dragoman.core.doors import Per, Prompt, Row
from dragoman.core.sampling import Completion, Sampling


@dataclass(frozen=True)
class Saying:
    """Always writes the same."""

    text: str

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        return [Completion(self.text) for _ in prompts]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        yield self.text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> Row:
        return np.zeros((len(prompts), len(options)))


def test_one_tag_a_word() -> None:
    (turn,) = Tag(("O", "B-x"))([Turn("in New York")], Saying("O B-x B-x"))
    assert turn.answer.labels == ("O", "B-x", "B-x")
    assert turn.answer.text == "O B-x B-x"
    assert turn.trace == ("tag",)


def test_what_does_not_fit_is_made_to_fit() -> None:
    step = Tag(("O", "B-x"))
    assert step([Turn("in New York")], Saying("O B-y"))[0].answer.labels == ("O", "O", "O")
    assert step([Turn("in")], Saying("B-x B-x O"))[0].answer.labels == ("B-x",)
    assert Tag()([Turn("in  New")], Saying("O B-y"))[0].answer.labels == ("O", "B-y", "O")  # two spaces hold a word
    assert step([], Saying("O")) == []
