"""Remembered words give the ids that the tokenizer gives, whatever the text and the tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.nn import memory
from dragoman.nn.alphabet import spell, write_alphabet
from dragoman.nn.memory import Memory, separable
from dragoman.nn.recipe import Training
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.vocabulary import train, write

TEXTS = [
    "It's the 3rd harbour, isn't it?\n\n  Yes; a\tharbour of 1234 ships.",
    "Ünïcode\u00a0 words and 漢字 too 😀😀",
] * 20
ODD = " \t\n\r\x0b\x0c\x1c\x85\u00a0\u2003\u3000'.,_-aZé漢\u0301😀½²5s<|endof>"


def made(folder: Path, how: Training) -> Path:
    folder.mkdir()
    write(train(TEXTS, how), how, folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("tokenizers")
    kinds = {
        "bpe": Training(size=400),
        "digits": Training(size=400, single_digits=False),
        "chat": Training(size=400, chat=True, special=("<|tool|>",)),
        "nfc": Training(size=400, normalize="nfc"),
        "wordpiece": Training(kind="wordpiece", size=300),
        "unigram": Training(kind="unigram", size=120),
    }
    found = {name: made(place / name, how) for name, how in kinds.items()}
    (place / "characters").mkdir()
    write_alphabet(spell("".join(TEXTS)), place / "characters")
    return {**found, "characters": place / "characters"}


@pytest.fixture(scope="module")
def opened(folders: dict[str, Path]) -> dict[str, Memory]:
    return {name: Memory(folders[name]) for name in ("bpe", "digits", "chat")}


def test_which_tokenizers_a_text_may_be_cut_for(folders: dict[str, Path], tmp_path: Path) -> None:
    assert [name for name, folder in folders.items() if separable(folder)] == ["bpe", "digits", "chat"]
    assert not separable(tmp_path)


@pytest.mark.parametrize("name", ["bpe", "digits", "chat", "nfc", "wordpiece", "unigram", "characters"])
def test_real_sentences(folders: dict[str, Path], name: str) -> None:
    tokens, remembered = Tokenizer(folders[name]), Memory(folders[name])
    for _ in range(2):
        assert [ids.tolist() for ids in remembered.plain(TEXTS)] == tokens.plain(TEXTS)
    assert [ids.tolist() for ids in remembered.plain(["", " ", "a"])] == tokens.plain(["", " ", "a"])
    assert remembered.plain([]) == []


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(alphabet=ODD, max_size=40), min_size=1, max_size=3), st.sampled_from(["bpe", "digits", "chat"]))
def test_any_text(opened: dict[str, Memory], texts: list[str], name: str) -> None:
    assert [ids.tolist() for ids in opened[name].plain(texts)] == opened[name].tokenizer.plain(texts)


def test_memory_is_bounded(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST", 8)
    monkeypatch.setattr(memory, "_ROUND", 10)
    remembered = Memory(folders["bpe"])
    texts = [f"a{number} b{number} " + "long" * 40 + f" {number}" for number in range(50)]
    assert [ids.tolist() for ids in remembered.plain(texts)] == Tokenizer(folders["bpe"]).plain(texts)
    assert len(remembered._known) <= 8 and not any("long" * 40 in word for word in remembered._known)


def test_gpt2(shared_data: Path) -> None:
    folder = shared_data / "tokenizers" / "gpt2"
    text = (shared_data / "pretrain" / "the-verdict.txt").read_text()
    assert Memory(folder).plain([text])[0].tolist() == Tokenizer(folder).plain([text])[0]
