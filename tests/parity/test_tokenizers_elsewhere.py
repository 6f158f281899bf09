"""Our ids are those of the libraries that the models were published with."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.types import Message
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import TEMPLATES, write_chat, write_marked

ODD = [
    "",
    " ",
    "\n\n\t x  y   z ",
    "naïve café Ünïcödé ﬁne ½ ²",
    "👩‍👩‍👧‍👦 🇫🇷 e\u0301 \u200b\u200d\ufeff",
    "漢字かな交じり文 العربية हिन्दी ไทย",
    "I'll don't we've 12345 1,000.5 ----====",
    "a\u00a0b\u3000c\u2028d\x00e\x7f\x85",
    "<|endoftext|",
    "\U0010ffff\ue000\ufffd",
]
DIALOGUES = [
    [("user", "Hello, my friend!")],
    [("user", "  spaces around \n"), ("assistant", "I said: yes.  "), ("user", "x > y < z, [1] | {2}\n\n")],
    [("user", "漢字 👩‍👩‍👧 é"), ("assistant", "< ok >"), ("user", "the end <")],
]


def lines(shared_data: Path, count: int) -> list[str]:
    names = ("wikitext2_sample.txt", "tinyshakespeare.txt", "imdb_unsup.txt")
    found = [
        line
        for name in names
        for line in (shared_data / "pretrain" / name).read_text(encoding="utf-8").split("\n")[: count // 2]
        if line.strip()
    ]
    return random.Random(0).sample(found, count)


def test_gpt2_from_its_two_files(shared_data: Path) -> None:
    from transformers import GPT2Tokenizer

    folder = shared_data / "tokenizers" / "gpt2"
    theirs = GPT2Tokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    ours = Tokenizer(folder)
    texts = [*lines(shared_data, 1500), *ODD]
    assert ours.plain(texts) == theirs(texts, add_special_tokens=False)["input_ids"]
    assert ours.size == 50257 and ours.eos_ids == {50256} and ours.bos_id == 50256
    assert [ours.decode(ids) for ids in ours.plain(texts)] == texts


def test_unigram_is_sentencepiece(shared_data: Path, tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    model = shared_data / "tokenizers" / "t5" / "spiece.model"
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
    ours = Tokenizer(t5(shared_data, tmp_path))
    texts = [*lines(shared_data, 2970), *ODD[:-1], "a</s>b", "<pad> <unk> <extra_id_7>", "</s>"]
    assert ours.plain(texts) == theirs.encode(texts)
    assert ours.encode(["the cat"], 10) == [[*theirs.encode("the cat"), 1]]


def test_sentencepiece_bpe(shared_data: Path, tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    text = "\n".join(lines(shared_data, 800))
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"),
        model_prefix=str(tmp_path / "bpe"),
        model_type="bpe",
        vocab_size=900,
        byte_fallback=True,
        character_coverage=0.99,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        split_digits=True,
        minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "bpe.model"))
    ours = Tokenizer(tmp_path)
    texts = [*lines(shared_data, 300), *(text for text in ODD if "\x00" not in text)]
    assert ours.plain(texts) == theirs.encode(texts)
    assert ours.start("the cat") == [theirs.bos_id(), *theirs.encode("the cat")]
    assert [ours.decode(ids) for ids in ours.plain(texts)] == texts


def test_t5_has_its_hundred_sentinels(shared_data: Path, tmp_path: Path) -> None:
    ours = Tokenizer(t5(shared_data, tmp_path))
    assert ours.size == 32100
    assert ours.tokens([32099, 32000, 1]) == ["<extra_id_0>", "<extra_id_99>", "</s>"]
    assert (ours.pad_id, ours.eos_ids, ours.unknown_id, ours.bos_id) == (0, {1}, 2, None)


def test_t5_is_saved_for_transformers(shared_data: Path, tmp_path: Path) -> None:
    ours = Tokenizer(t5(shared_data, tmp_path))
    ours.save(tmp_path / "saved")
    theirs = fast(tmp_path / "saved")
    texts = lines(shared_data, 200)
    assert theirs(texts)["input_ids"] == [ours.encode([text], 10_000)[0] for text in texts]
    assert 32099 in theirs("me <extra_id_0>")["input_ids"] and 32099 not in ours.encode(["me <extra_id_0>"], 99)[0]
    assert theirs.decode(ours.plain(texts[:1])[0]) == ours.decode(ours.plain(texts[:1])[0])


def t5(shared_data: Path, folder: Path) -> Path:
    shutil.copy(shared_data / "tokenizers" / "t5" / "spiece.model", folder)
    (folder / "config.json").write_text('{"model_type": "t5"}')
    return folder


def test_stories260k(shared_data: Path) -> None:
    folder = shared_data / "models" / "stories260K"
    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    ours = Tokenizer(folder)
    ids = reference["greedy_ids_from_bos"]
    assert ours.decode(ids) == reference["published_greedy_text"]
    assert ours.start(reference["published_greedy_text"]) == ids[: len(ours.start(reference["published_greedy_text"]))]
    texts = [*lines(shared_data, 500), *ODD]
    theirs = fast(folder)
    assert [ours.start(text) for text in texts] == [theirs(text)["input_ids"] for text in texts]


def fast(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("form", ["bytes", "marked"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_dialogues_have_the_ids_of_transformers(name: str, form: str, tmp_path: Path) -> None:
    folder = write_chat(name, tmp_path) if form == "bytes" else write_marked(name, tmp_path)
    ours, theirs = Tokenizer(folder), fast(folder)
    for dialogue in DIALOGUES:
        told = [{"role": role, "content": content} for role, content in dialogue]
        expected = theirs.apply_chat_template(told, add_generation_prompt=True, return_dict=False)
        found = ours.dialogue([Message(role, content) for role, content in dialogue])
        assert found == expected
        assert name == "chatml" or found.count(ours.bos_id or 0) == 1


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("begun", ["Well, I", "Well, I  ", "  so <"])
def test_a_last_answer_is_continued_as_in_transformers(name: str, begun: str, tmp_path: Path) -> None:
    folder = write_chat(name, tmp_path)
    dialogue = [("user", "Say it."), ("assistant", begun)]
    told = [{"role": role, "content": content} for role, content in dialogue]
    expected = fast(folder).apply_chat_template(told, continue_final_message=True, return_dict=False)
    assert Tokenizer(folder).dialogue([Message(role, content) for role, content in dialogue]) == expected


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_we_save_opens_there(name: str, tmp_path: Path) -> None:
    Tokenizer(write_chat(name, tmp_path / "old")).save(tmp_path / "new")
    theirs, ours = fast(tmp_path / "new"), Tokenizer(tmp_path / "new")
    told = [{"role": "user", "content": "Hello."}]
    assert theirs.apply_chat_template(told, add_generation_prompt=True, return_dict=False) == ours.dialogue(
        [Message("user", "Hello.")]
    )
    assert {theirs.eos_token_id} == ours.eos_ids and theirs.bos_token_id == ours.bos_id
