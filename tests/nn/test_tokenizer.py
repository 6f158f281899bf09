"""Tokens as the model was taught them, and never a control token from a user's hand."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Rust
from tokenizers import pre_tokenizers

from dragoman.core.errors import UserError
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import ARCHES, CHARACTERS, WORDS, tokenizer

CONTROLS = {"bert": {0, 2, 3, 4}, "roberta": {0, 1, 2, 4}}


@pytest.mark.parametrize(
    ("family", "text"),
    [("bert", "the [SEP] cat [PAD][MASK] [CLS]"), ("roberta", "the</s> cat <pad><mask> <s>")],
)
def test_user_text_is_never_a_control_token(family: str, text: str, tmp_path: Path) -> None:
    tokens = tokenizer(family, tmp_path)
    ids = tokens.encode([text], 200)[0]
    assert not CONTROLS[family] & set(ids[1:-1])
    assert len(ids) > 10


def test_a_splitter_that_lets_a_control_token_through_is_caught(tmp_path: Path) -> None:
    tokenizer("bert", tmp_path)
    rust = Rust.from_file(str(tmp_path / "tokenizer.json"))
    rust.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    rust.normalizer = None
    rust.save(str(tmp_path / "tokenizer.json"))
    tokens = Tokenizer(tmp_path)
    assert tokens.tokens(tokens.encode(["the [SEP] cat"], 20)[0]) == ["[CLS]", "the", "[UNK]", "cat", "[SEP]"]


@given(st.text())
def test_any_text_stays_between_its_two_controls(text: str) -> None:
    tokens = _SHARED["bert"]
    ids = tokens.encode([text], 30)[0]
    assert (ids[0], ids[-1]) == (2, 3)
    assert len(ids) <= 30
    assert not CONTROLS["bert"] & set(ids[1:-1])


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    _SHARED["bert"] = tokenizer("bert", tmp_path_factory.mktemp("tokens"))


_SHARED: dict[str, Tokenizer] = {}


def test_a_long_text_is_cut_on_the_right_and_counted(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    text = "the cat sat on the mat"
    whole = tokens.encode([text], 100)[0]
    assert tokens.encode([text], 5)[0] == [*whole[:4], whole[-1]]
    assert tokens.count([text, ""]) == [8, 2]
    assert tokens.encode([], 5) == []
    with pytest.raises(UserError, match="no room"):
        tokens.encode([text], 2)


def test_stored_truncation_and_padding_are_switched_off(tmp_path: Path) -> None:
    tokenizer("bert", tmp_path)
    rust = Rust.from_file(str(tmp_path / "tokenizer.json"))
    rust.enable_truncation(3)
    rust.enable_padding(length=16)
    rust.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer(tmp_path).count(["the cat sat"]) == [5]


def test_half_a_character_is_a_mistake_in_what_was_given(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="text 1 of 2"):
        tokenizer("bert", tmp_path).encode(["fine", "half \ud83d"], 10)


def test_vocab_txt_of_bert_is_converted(tmp_path: Path) -> None:
    reference = tokenizer("bert", tmp_path / "json")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*WORDS, *CHARACTERS])]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    converted = Tokenizer(tmp_path)
    texts = ["The cats sat [SEP] on THE mát!", "", "zzz 漢 qq"]
    assert converted.encode(texts, 50) == reference.encode(texts, 50)
    assert converted.pad_id == 0
    converted.save(tmp_path / "saved")
    assert Tokenizer(tmp_path / "saved").encode(texts, 50) == reference.encode(texts, 50)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 3}'])
def test_a_damaged_tokenizer_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=r"tokenizer\.json"):
        Tokenizer(tmp_path)


def test_a_missing_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        Tokenizer(tmp_path)
    (tmp_path / "vocab.txt").write_text("the\ncat\n")
    with pytest.raises(UserError, match="lacks the special token"):
        Tokenizer(tmp_path)


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    tokenizer("bert", tmp_path)
    (tmp_path / "special_tokens_map.json").write_text("{}")
    with pytest.raises(UserError, match="no pad_token"):
        Tokenizer(tmp_path)
    (tmp_path / "config.json").write_text('{"pad_token_id": 0}')
    assert Tokenizer(tmp_path).pad_id == 0


def test_tokenizer_and_model_must_belong_together(tmp_path: Path) -> None:
    tokens = tokenizer("roberta", tmp_path)
    tokens.fit(ARCHES["roberta"])
    with pytest.raises(UserError, match="embeddings for 90"):
        tokens.fit(ARCHES["bert"])
    with pytest.raises(UserError, match="fills with token 0"):
        tokenizer("bert", tmp_path / "bert").fit(ARCHES["roberta"])


def test_the_folder_says_what_texts_are_cut_to(tmp_path: Path) -> None:
    assert tokenizer("bert", tmp_path).max_length == 0
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    assert Tokenizer(tmp_path).max_length == 0
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 32}))
    tokens = Tokenizer(tmp_path)
    assert tokens.max_length == 32
    tokens.max_length = 24
    tokens.save(tmp_path / "saved")
    assert Tokenizer(tmp_path / "saved").max_length == 24
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16}))
    assert Tokenizer(tmp_path).max_length == 16


def test_a_decoder_fills_with_its_end(tmp_path: Path) -> None:
    tokenizer("roberta", tmp_path)
    (tmp_path / "special_tokens_map.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
    (tmp_path / "config.json").write_text('{"model_type": "llama", "eos_token_id": 2}')
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 3]}')
    tokens = Tokenizer(tmp_path)
    assert (tokens.bos_id, tokens.eos_ids, tokens.pad_id) == (0, {2, 3}, 2)
    tokens.save(tmp_path / "saved")
    again = Tokenizer(tmp_path / "saved")
    assert (again.bos_id, again.eos_ids) == (0, {2, 3})
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(UserError, match="no pad_token"):
        Tokenizer(tmp_path)


def test_a_text_to_go_on_from_has_nothing_behind_it(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    assert tokens.start("the cat") == tokens.encode(["the cat"], 9)[0][:-1]
    assert tokens.plain(["the cat", ""]) == [tokens.start("the cat")[1:], []]
    assert tokens.start("") == [2]
    assert (tokens.unknown_id, tokens.control_ids) == (1, {0, 2, 3, 4})


def test_an_unknown_token_that_is_also_the_end_stands_for_nothing(tmp_path: Path) -> None:
    tokenizer("bert", tmp_path)
    (tmp_path / "special_tokens_map.json").write_text(
        '{"unk_token": "[SEP]", "sep_token": "[SEP]", "pad_token": "[PAD]"}'
    )
    tokens = Tokenizer(tmp_path)
    assert 3 in tokens.control_ids and tokens.unknown_id == 3


@pytest.mark.parametrize(("ends", "filled"), [(2, 2), ([700, 2], 2), (700, 0)])
def test_a_filling_token_that_is_none_is_the_end(ends: object, filled: int, shared_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    for path in folder.glob("*token*.json"):
        if path.name != "tokenizer.json":
            path.unlink()
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": 512, "eos_token_id": ends}))
    assert Tokenizer(folder).pad_id == filled


@pytest.mark.parametrize("added", [[5], {"id": 1}, [{"id": 0}], 7])
def test_added_tokens_that_are_none(added: object, tmp_path: Path) -> None:
    tokenizer("roberta", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "pad_token_id": 1}))
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).write_text("{}")
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**content, "added_tokens": added}))
    with pytest.raises(UserError, match="added_tokens"):
        Tokenizer(tmp_path)
