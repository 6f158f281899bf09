"""A tokenizer of characters gives every character one token, and what it does not know is said."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.alphabet import spell, write_alphabet
from dragoman.nn.tokenizer import Tokenizer

TEXT = "To be, or not to be:\n  that is é漢😀 the question."


def made(folder: Path, text: str = TEXT) -> Tokenizer:
    write_alphabet(spell(text), folder)
    return Tokenizer(folder)


def test_each_character_is_a_token(tmp_path: Path) -> None:
    tokens = made(tmp_path)
    known = sorted(set(TEXT))
    assert tokens.plain([TEXT]) == [[known.index(character) for character in TEXT]]
    assert tokens.decode(tokens.plain([TEXT])[0]) == TEXT
    assert tokens.size == len(known) + 2
    assert tokens.eos_ids == {len(known)} and tokens.pad_id == tokens.bos_id == len(known)


def test_a_strange_character_is_unknown_and_not_lost(tmp_path: Path) -> None:
    tokens = made(tmp_path)
    assert tokens.unknown_id == tokens.size - 1
    assert tokens.plain(["zzb"]) == [[tokens.unknown_id, tokens.unknown_id, sorted(set(TEXT)).index("b")]]
    assert tokens.unknown_id not in tokens.plain(["<|endoftext|>".replace("|", "").strip("<>")])[0][:2]


def test_control_tokens_in_a_text_are_text(tmp_path: Path) -> None:
    tokens = made(tmp_path, TEXT + "<|endoftext|><|unknown|>")
    said = "be <|endoftext|> be <|unknown|>"
    assert tokens.decode(tokens.plain([said])[0]) == said
    assert len(tokens.plain([said])[0]) == len(said)


def test_transformers_reads_the_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokens = made(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(TEXT)["input_ids"] == tokens.plain([TEXT])[0]
    assert theirs.decode(tokens.plain([TEXT])[0]) == TEXT and theirs.eos_token == "<|endoftext|>"


def test_no_text_is_told() -> None:
    with pytest.raises(UserError, match="no text to take characters from"):
        spell("")


def test_65_characters_of_a_play(shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "pretrain" / "tinyshakespeare.txt").read_text()
    tokens = made(tmp_path, text)
    assert tokens.size == 65 + 2
    assert len(tokens.plain([text])[0]) == len(text)
