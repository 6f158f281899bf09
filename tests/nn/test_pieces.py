"""Every form in which tokenizers are published opens, or is refused in one message."""

import json
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.tokenizer import Tokenizer

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", "Ġ"]


def gpt2(folder: Path, *special: str, config: str = "") -> Path:
    words = [*special, *LETTERS, "th", "the", "Ġthe"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e\nĠ the\n")
    if config:
        (folder / "config.json").write_text(config)
    return folder


def test_gpt2_files(tmp_path: Path) -> None:
    tokens = Tokenizer(gpt2(tmp_path, "<|endoftext|>"))
    assert tokens.tokens(tokens.plain(["the the"])[0]) == ["the", "Ġthe"]
    assert tokens.encode(["the"], 5) == [[tokens.plain(["the"])[0][0]]]
    assert (tokens.bos_id, tokens.eos_ids, tokens.pad_id) == (0, {0}, 0)


def test_roberta_stores_the_same_files(tmp_path: Path) -> None:
    folder = gpt2(tmp_path, "<s>", "<pad>", "</s>", "<unk>", "<mask>", config='{"model_type": "roberta"}')
    tokens = Tokenizer(folder)
    assert tokens.tokens(tokens.encode(["the"], 5)[0]) == ["<s>", "the", "</s>"]
    assert (tokens.pad_id, tokens.mask_id, tokens.unknown_id) == (1, 4, 3)


def test_tokens_that_were_added_later(tmp_path: Path) -> None:
    gpt2(tmp_path, "<|endoftext|>")
    (tmp_path / "added_tokens.json").write_text('{"<extra>": 31}')
    added = {"32": {"content": "<ctl>", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added, "add_bos_token": True}))
    tokens = Tokenizer(tmp_path)
    assert tokens.size == 33 and tokens.control_ids == {0, 32}
    assert tokens.start("the<extra>") == [0, tokens.plain(["the"])[0][0], 31]
    (tmp_path / "added_tokens.json").write_text('{"<extra>": 31, "<late>": 90}')
    with pytest.raises(UserError, match="the id 90"):
        Tokenizer(tmp_path)


def test_gpt2_files_that_cannot_be_used(tmp_path: Path) -> None:
    gpt2(tmp_path, "<|endoftext|>", config='{"model_type": "qwen2"}')
    with pytest.raises(UserError, match=r"vocab\.json of a qwen2 model"):
        Tokenizer(tmp_path)
    gpt2(tmp_path, config='{"model_type": "gpt2"}')
    with pytest.raises(UserError, match="lacks the special token"):
        Tokenizer(tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\nq q\n")
    with pytest.raises(UserError, match=r"merges\.txt that cannot be read"):
        Tokenizer(tmp_path)
