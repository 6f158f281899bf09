"""A tagger behind the LM door: one tag a word, whatever the length, the batch and the characters of the text."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.open import open_tagger
from dragoman.models.tagger import LocalTagger
from dragoman.nn.headed import save_tagger
from tests.nn.tiny import FAMILIES, encoder_folder, tagger, tokenizer

TEXTS = ["the cat sat on the mat", "a dog", "the cats [SEP] ran  fast!", "", "\u200d"]
PROMPTS = [[Message("user", text)] for text in TEXTS]


def local(family: str, folder: Path, max_length: int = 0) -> LocalTagger:
    return LocalTagger(tagger(family), tokenizer(family, folder), max_length=max_length)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_tag_a_word_together_or_alone(family: str, tmp_path: Path) -> None:
    model = local(family, tmp_path)
    assert isinstance(model, LM)
    together = model.chances(TEXTS)
    assert [table.shape for table in together] == [(len(text.split(" ")), 3) for text in TEXTS]
    for text, table in zip(TEXTS, together, strict=True):
        assert np.abs(np.exp(table).sum(1) - 1).max() < 1e-9
        close = np.isclose(table, model.chances([text])[0], atol=1e-4)
        assert close.all()
    tags = [one.text.split(" ") for one in model.generate(PROMPTS, Sampling())]
    assert [len(one) for one in tags] == [len(text.split(" ")) for text in TEXTS]
    assert tags[0] == [model.labels[number] for number in together[0].argmax(1)]
    assert "".join(model.stream(PROMPTS[0], Sampling())) == " ".join(tags[0])


def test_a_word_without_a_token_is_outside(tmp_path: Path) -> None:
    model = local("bert", tmp_path)
    assert [one.text for one in model.generate(PROMPTS[3:], Sampling())] == ["O", "O"]
    assert model.chances(["a \u200d dog"])[0][1].tolist() == [0.0, -np.inf, -np.inf]


def test_a_long_text_has_a_tag_for_every_word(tmp_path: Path) -> None:
    text = " ".join(["the cat sat", "a dog ran"] * 20)
    short, model = local("bert", tmp_path, max_length=12), local("bert", tmp_path)
    tags = short.generate([[Message("user", text)]], Sampling())[0].text.split(" ")
    assert len(tags) == 120
    assert short.cut([[Message("user", text)]]) == 0
    assert set(tags) <= set(model.labels)
    # What fits into one window is read as ever.
    assert short.generate([PROMPTS[0]], Sampling()) == model.generate([PROMPTS[0]], Sampling())


def test_the_score_of_tags_is_the_sum_over_words(tmp_path: Path) -> None:
    model = local("bert", tmp_path)
    table = model.chances(["a dog"])[0]
    options = ["O B-animal", "B-animal I-animal"]
    expected = [table[0, 0] + table[1, 1], table[0, 1] + table[1, 2]]
    prompt = [[Message("user", "a dog")]]
    assert np.allclose(model.score(prompt, options), [expected])
    assert np.allclose(model.score(prompt, options, "token"), [np.array(expected) / 2])
    assert np.allclose(model.score(prompt, options, "byte"), [[expected[0] / 10, expected[1] / 17]])
    with pytest.raises(UserError, match="no tag 'B-animl'") as caught:
        model.score(prompt, ["O B-animl"])
    assert "B-animal" in caught.value.hint
    with pytest.raises(UserError, match="1 tags cannot be those of 2 words"):
        model.score(prompt, ["O"])


def test_a_folder_opens_behind_the_door(tmp_path: Path) -> None:
    save_tagger(tagger("bert"), tokenizer("bert", tmp_path / "tokens"), tmp_path / "model")
    same, direct = open_tagger(tmp_path / "model"), local("bert", tmp_path / "tokens")
    assert same.generate(PROMPTS, Sampling()) == direct.generate(PROMPTS, Sampling())
    half = open_tagger(tmp_path / "model", precision="bf16")
    assert np.abs(np.exp(half.chances(TEXTS[:1])[0]) - np.exp(direct.chances(TEXTS[:1])[0])).max() < 0.15
    with pytest.raises(UserError, match="holds no model for these tags"):
        open_tagger(encoder_folder("bert", tmp_path / "bare"), labels=("O", "B-x"))
