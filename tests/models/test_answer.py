"""An answer grows the same way whoever runs the model, and rows that are over cost no drawing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core.doors import WritingLM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.answer import Answer, grow
from dragoman.models.hf import HfLM
from dragoman.models.local import LocalLM
from dragoman.models.open import open_lm
from dragoman.nn.constraint import Matcher
from dragoman.nn.decode import Written
from dragoman.nn.tokenizer import Tokenizer

TEXTS = ("Once upon a time", "The dog", "Tom and his")


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "models" / "stories260K"


@pytest.fixture(scope="module")
def doors(folder: Path) -> tuple[LocalLM, HfLM]:
    ours = open_lm(folder, device="cpu")
    assert isinstance(ours, LocalLM)
    return ours, HfLM(folder, device="cpu")


def prompt(text: str) -> list[Message]:
    return [Message("user", text)]


@pytest.mark.parametrize(
    "how",
    [
        Sampling(max_tokens=12, logprobs=2),
        Sampling(max_tokens=12, regex=" [a-z]{3}"),
        Sampling(max_tokens=12, choices=(" red", " blue", "green"), temperature=1, n=3, seed=4),
        Sampling(max_tokens=30, stop=("a", " to")),
        Sampling(max_tokens=12, temperature=1, seed=2, n=2),
        Sampling(max_tokens=2, regex="\N{GRINNING FACE}"),
    ],
    ids=["greedy", "regex", "choices", "stopped", "drawn", "cut"],
)
def test_both_doors_write_the_same(doors: tuple[LocalLM, HfLM], how: Sampling) -> None:
    ours, theirs = (lm.generate([prompt(text) for text in TEXTS], how) for lm in doors)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.text, one.tokens, one.finish) == (other.text, other.tokens, other.finish)
        assert one.prompt_tokens == other.prompt_tokens
        assert [token.text for token in one.logprobs] == [token.text for token in other.logprobs]
        if how.choices:
            assert one.text in how.choices
    if how.n == 1:
        for lm in doors:
            assert ["".join(lm.stream(prompt(text), how)) for text in TEXTS] == [one.text for one in ours]


def test_a_space_that_a_shape_begins_with_is_kept(doors: tuple[LocalLM, HfLM]) -> None:
    for lm in doors:
        [said] = lm.generate([prompt("Once upon a time")], Sampling(max_tokens=12, regex=" [a-z]{3}"))
        assert (len(said.text), said.text[0], said.finish) == (4, " ", "stop")


def test_both_doors_cut_an_option_the_same_way(doors: tuple[LocalLM, HfLM]) -> None:
    options = [" the", "ce upon", " there was a girl", "x", "é?"]
    prompts = [prompt("On"), prompt("Once upon a time, "), prompt("the"), prompt("a")]
    for per in ("sum", "token", "byte"):
        ours, theirs = (lm.score(prompts, options, per) for lm in doors)  # type: ignore[arg-type]
        assert np.allclose(ours, theirs, atol=1e-3)


def test_doors_tell_what_is_to_be_known(doors: tuple[LocalLM, HfLM]) -> None:
    for lm in (*doors, open_lm("fake:"), open_lm("openai:http://localhost:1/v1#m")):
        assert isinstance(lm, WritingLM)


def test_rows_that_are_over_are_neither_drawn_nor_pushed(
    doors: tuple[LocalLM, HfLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[int] = []
    inner = Matcher.push

    def watched(self: Matcher, token: int) -> None:
        assert not self.done
        pushed.append(token)
        inner(self, token)

    monkeypatch.setattr(Matcher, "push", watched)
    how = Sampling(max_tokens=20, regex="[a-z]{1,9}", temperature=2, n=8, seed=1)
    said = doors[1].generate([prompt("the")], how)
    assert len({one.tokens for one in said}) > 1
    assert len(pushed) == sum(one.tokens for one in said)


class Script:
    """Writes the tokens it was given, one row each."""

    def __init__(self, *rows: Sequence[int]) -> None:
        self.rows, self.at, self.over = rows, 0, set[int]()
        self.finish = ["length"] * len(rows)

    def step(self) -> list[Written]:
        self.at += 1
        left = [row for row, ids in enumerate(self.rows) if row not in self.over and self.at <= len(ids)]
        return [Written(row, self.rows[row][self.at - 1]) for row in left]

    def end(self, row: int) -> None:
        self.over.add(row)


def test_growing(folder: Path) -> None:
    words = Tokenizer(folder)
    texts = [" one day, a dog", " two"]
    answers = [Answer(words, Sampling(stop=("day",)), goes_on=True) for _ in texts]
    pieces = list(grow(Script(*(words.plain([text.strip()])[0] for text in texts)), answers))
    said: list[Any] = [answer.completion(3) for answer in answers]
    assert [(one.text, one.finish) for one in said] == [(" one ", "stop"), (" two", "length")]
    assert sorted("".join(pieces)) == sorted(" one  two")
