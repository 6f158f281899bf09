"""The figures of a tokenizer are what they say, and their interval is honest."""

import random
from pathlib import Path

import pytest

from dragoman.nn.fertility import cut, measure, ratio
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import write_chat
from tests.nn.tiny import tokenizer


def test_counts(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    found = measure(tokens, ["the cat 漢", "", "sat"])
    assert found.words == (3, 0, 1) and found.bytes == (11, 0, 3)
    assert found.tokens == tuple(len(ids) for ids in tokens.plain(["the cat 漢", "", "sat"]))
    assert found.unknown == (1, 0, 0) and found.unknown_rate == 1 / sum(found.tokens)
    assert found.tokens_per_word.value == sum(found.tokens) / 4
    assert measure(tokens, []).bytes_per_token.value == 0.0


def test_a_model_of_single_bytes_has_one_byte_a_token(tmp_path: Path) -> None:
    tokens = Tokenizer(write_chat("chatml", tmp_path))
    found = measure(tokens, ["漢字 é"])
    assert found.bytes_per_token.value == pytest.approx(1.0, abs=0.15)
    assert cut(tokens, "é the cat")[0] in ("é", "\\xc3")


def test_the_interval_of_a_ratio_covers_it() -> None:
    draw = random.Random(0)
    covered = 0
    for _ in range(300):
        below = [draw.randint(5, 50) for _ in range(60)]
        above = [round(one * 3 + draw.gauss(0, 4)) for one in below]
        found = ratio(above, below)
        covered += found.low <= 3.0 <= found.high
    assert 0.90 < covered / 300 <= 0.99
