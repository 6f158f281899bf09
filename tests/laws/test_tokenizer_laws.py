"""What holds for every tokenizer: nothing is lost, a stream is the text, and BPE is what its definition says."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Rust
from tokenizers import pre_tokenizers

from dragoman.nn.characters import Characters, Pieces
from dragoman.nn.recipe import KINDS, Training
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.vocabulary import train

TEXT = ["It is a truth universally acknowledged, that 3 of 12 cats sat. ", "naïve 漢字 👩‍👩‍👧 it is, is it not?\n"] * 30


def merges_by_definition(words: Counter[str], specials: int, size: int) -> list[tuple[str, str]]:
    """BPE as it is defined: the most frequent pair becomes a symbol; of equal ones, the pair of the smallest ids.

    Ids: special tokens, the alphabet in order, then the merges in theirs (science of ties as in `tokenizers`).
    """
    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {name: specials + place for place, name in enumerate(names)}
    cut = {word: list(word) for word in words}
    merges: list[tuple[str, str]] = []
    while specials + len(ids) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in cut.items():
            for pair in pairwise(symbols):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda pair: (pairs[pair], -ids[pair[0]], -ids[pair[1]]))
        if pairs[best] < 2:
            break
        merges.append(best)
        ids.setdefault("".join(best), specials + len(ids))
        cut = {word: joined(symbols, best) if best[0] in symbols else symbols for word, symbols in cut.items()}
    return merges


def joined(symbols: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """The symbols with each occurrence of the pair made one, from the left."""
    found: list[str] = []
    place = 0
    while place < len(symbols):
        both = tuple(symbols[place : place + 2]) == pair
        found.append("".join(pair) if both else symbols[place])
        place += 2 if both else 1
    return found


def test_byte_pairs_are_those_of_the_definition(shared_data: Path) -> None:
    text = (shared_data / "pretrain" / "tinyshakespeare.txt").read_text(encoding="utf-8")[:60_000]
    how = Training(size=500)
    rust = train([text], how)
    words = Counter(word for word, _ in rust.pre_tokenizer.pre_tokenize_str(text))
    learnt = [tuple(pair) for pair in json.loads(rust.to_str())["model"]["merges"]]
    assert learnt == merges_by_definition(words, 2, 500)
    assert len(learnt) == 500 - 256 - 2


@cache
def trained(kind: str) -> Rust:
    return train(TEXT, Training(kind=kind, size=330))


def test_bytes_lose_nothing() -> None:
    draw = random.Random(0)
    ranges = [(0x20, 0x7F), (0xA0, 0x500), (0x3000, 0xD7FF), (0xE000, 0xFFFF), (0x1F300, 0x1FAFF), (0x10000, 0x10FFFF)]
    texts = [
        "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randrange(1, 24))) for _ in range(10_000)
    ]
    texts.append("".join(map(chr, range(256))))
    rust = trained("bpe")
    pieces = Pieces(rust, (0, 1))
    for text, found in zip(texts, rust.encode_batch_fast(texts), strict=True):
        assert Characters(pieces).whole(found.ids) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_stream_is_the_text(kind: str, data: st.DataObject) -> None:
    rust = trained(kind)
    silent = {number for number, token in rust.get_added_tokens_decoder().items() if token.special}
    ids = data.draw(st.lists(st.integers(-1, rust.get_vocab_size() + 3), max_size=30))
    stream = Characters(Pieces(rust, silent))
    pushed = [stream.push(number) for number in ids]
    known = [number for number in ids if number >= 0]
    assert "".join(pushed) + stream.end() == rust.decode(known, skip_special_tokens=True)


def test_a_stream_of_byte_fallback_is_the_text(shared_data: Path) -> None:
    tokens = Tokenizer(shared_data / "models" / "stories260K")
    draw = random.Random(1)
    for _ in range(300):
        ids = [draw.randrange(tokens.size) for _ in range(draw.randrange(40))]
        stream = tokens.characters()
        assert "".join(stream.push(number) for number in ids) + stream.end() == tokens.decode(ids)
        text = "".join(chr(draw.randint(0x20, 0x2FFF)) for _ in range(20))
        assert tokens.decode(tokens.start(text)) == text
        assert b"".join(tokens.pieces(tokens.plain([text])[0])).decode() == f" {text}"
