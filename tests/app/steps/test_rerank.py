"""Passages in the order of a model that reads question and passage together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dragoman.app.assistant import NoModel
from dragoman.app.steps.rerank import Rerank
from dragoman.app.turn import Turn
from tests.app.shelf import passage


def by_length(questions: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    assert questions == ["which?"] * 3 + ["alone"]
    return np.array([np.nan if text == "bad" else float(len(text)) for text in texts])


def test_the_best_come_first_and_are_numbered_anew() -> None:
    found = tuple(passage(text, number) for number, text in enumerate(("bad", "some", "longest"), 1))
    turns = [Turn("q", sought="which?", passages=found), Turn("none"), Turn("alone", passages=found[1:2])]
    first, none, alone = Rerank(by_length, keep=2)(turns, NoModel())
    assert [(one.number, one.score, one.chunk.text) for one in first.passages] == [
        (1, 7.0, "longest"),
        (2, 4.0, "some"),
    ]
    assert none.passages == ()
    assert alone.passages == (replace(found[1], score=4.0, number=1),)
    assert first.trace == ("rerank",)
    assert Rerank(by_length)([Turn("none")], NoModel())[0].passages == ()
