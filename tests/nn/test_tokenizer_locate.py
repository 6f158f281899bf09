"""Tokens and the characters they are: the same tokens as without, and what they cover is the text's own."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer as Rust
from tokenizers import pre_tokenizers
from tokenizers.models import Unigram

from dragoman.core.errors import UserError
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import FAMILIES, tokenizer

TEXTS = ["the Cats [SEP] sat", "", "  a\tdog \u00e9\u0301 \u200d [MASK]!", "\U0001f600 mat", "<s> the </s>"]


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_those_of_the_plain_text(family: str, tmp_path: Path) -> None:
    tokens = tokenizer(family, tmp_path)
    found = tokens.locate(TEXTS)
    assert [ids for ids, _ in found] == tokens.plain(TEXTS)
    for text, (_, spans) in zip(TEXTS, found, strict=True):
        assert all(0 <= begin <= end <= len(text) for begin, end in spans)
        assert [one for one, _ in spans] == sorted(one for one, _ in spans)
        assert all(text[begin:end] == text[begin:end].strip() for begin, end in spans)


def test_what_a_token_covers(tmp_path: Path) -> None:
    text = "the Cats  [SEP]"
    ((ids, spans),) = tokenizer("bert", tmp_path).locate([text])
    assert [text[begin:end] for begin, end in spans] == ["the", "Cat", "s", "[", "SEP", "]"]
    assert len(ids) == 6


def test_control_pieces_of_a_unigram_model(tmp_path: Path) -> None:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("\u2581", -2.0), *((letter, -3.0) for letter in "abcs</>")]
    rust = Rust(Unigram(pieces, unk_id=0, byte_fallback=False))
    rust.pre_tokenizer = pre_tokenizers.Metaspace()
    rust.add_special_tokens(["</s>", "<unk>"])
    rust.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": "</s>", "unk_token": "<unk>"}')
    tokens = Tokenizer(tmp_path)
    text = "a</s>b c"
    ((ids, spans),) = tokens.locate([text])
    assert ids == tokens.plain([text])[0]
    assert 1 not in ids
    # The mark in front of the first word is nothing of the text: it is given the character behind it.
    assert [text[begin:end] for begin, end in spans] == ["a", "a", *"</s>b", "", "c"]


def test_what_stands_around_two_texts(tmp_path: Path) -> None:
    assert tokenizer("bert", tmp_path / "one").pair == ((2,), (3,), (3,))
    assert tokenizer("roberta", tmp_path / "two").pair == ((0,), (2, 2), (2,))


def test_half_a_character_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="text 1 of 2 holds half a character"):
        tokenizer("bert", tmp_path).locate(["the", "\ud800"])
