"""An extractor behind the LM door: a legal span, cut out of the context to the letter, over all windows."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.extractor import LocalExtractor, _best
from dragoman.models.open import open_extractor
from dragoman.nn.headed import save_extractor
from tests.nn.tiny import FAMILIES, encoder_folder, extractor, tokenizer

CONTEXT = "The  Dogs ran FAST!\nA caf\u00e9 [SEP] cat"
ASKED = [(CONTEXT, "a dog"), ("the cat sat", "who sat"), (CONTEXT * 4, "a dog"), ("\u200d", "who")]
PROMPTS = [[Message("user", "\n\n".join(one))] for one in ASKED]


def local(family: str, folder: Path, max_length: int = 0, max_answer: int = 30) -> LocalExtractor:
    return LocalExtractor(extractor(family), tokenizer(family, folder), max_length=max_length, max_answer=max_answer)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_a_piece_of_its_context(family: str, tmp_path: Path) -> None:
    model = local(family, tmp_path)
    assert isinstance(model, LM)
    found = model.find(ASKED)
    for (context, _), one in zip(ASKED, found, strict=True):
        assert one.text == context[one.begin : one.end]
        assert one.text == one.text.strip()
    assert found[0].text and found[1].text and found[2].text
    assert [one.text for one in model.generate(PROMPTS, Sampling())] == [one.text for one in found]
    alone = [model.find([asked])[0] for asked in ASKED]
    assert [one.text for one in alone] == [one.text for one in found]
    assert list(model.stream(PROMPTS[1], Sampling())) == [found[1].text]
    assert model.cut(PROMPTS) == 0


def test_a_context_without_words_has_no_answer(tmp_path: Path) -> None:
    (one,) = local("bert", tmp_path).find([ASKED[3]])
    assert (one.text, one.score) == ("", -np.inf)


def test_the_best_span_is_legal() -> None:
    dice = np.random.default_rng(0)
    for tokens in (1, 2, 7, 12):
        logs = dice.normal(size=(tokens, 2))
        for longest in (1, 3, 30):
            spans = [
                (logs[one, 0] + logs[other, 1], one, other)
                for one in range(tokens)
                for other in range(one, min(tokens, one + longest))
            ]
            total, first, last = max(spans)
            assert _best(logs, longest) == (first, last, pytest.approx(total))
    assert _best(np.full((3, 2), -np.inf), 3) is None


def test_the_longest_answer(tmp_path: Path) -> None:
    model = local("bert", tmp_path, max_answer=1)
    assert all(len(model._tokenizer.plain([one.text])[0]) <= 1 for one in model.find(ASKED))


def test_the_best_window_wins(tmp_path: Path) -> None:
    model = local("bert", tmp_path, max_length=16)
    context = "the dog ran fast on the mat . " * 4 + "a cat sat"
    best = model.find([(context, "a dog")])[0]
    texts = ("the dog", "cat sat", "fast on the", best.text)
    scores = model.score([[Message("user", f"{context}\n\na dog")]], texts)
    assert scores[0, 3] == pytest.approx(best.score)
    assert (scores[0] <= scores[0, 3] + 1e-9).all()


def test_the_score_of_an_option(tmp_path: Path) -> None:
    model = local("bert", tmp_path)
    prompt = PROMPTS[1:2]
    sums = model.score(prompt, ["cat", "dog", "cat sat"])
    assert sums[0, 1] == -np.inf  # it cannot say what does not stand there
    assert np.isfinite(sums[0, [0, 2]]).all()
    assert model.score(prompt, ["cat sat"], "token")[0, 0] == pytest.approx(sums[0, 2] / 2)
    assert model.score(prompt, ["cat sat"], "byte")[0, 0] == pytest.approx(sums[0, 2] / 7)
    assert model.score(prompt, [""])[0, 0] == -np.inf
    every = {(one, other) for one in range(3) for other in range(one, 3)}
    words = ["the", "cat", "sat"]
    spans = [" ".join(words[one : other + 1]) for one, other in every]
    assert np.exp(model.score(prompt, spans)).sum() < 1  # the first token and crossed pairs have their share


def test_what_is_no_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an empty line and the question"):
        local("bert", tmp_path).generate([[Message("user", "who sat")]], Sampling())
    with pytest.raises(UserError, match="positions"):
        local("bert", tmp_path, max_length=99)


def test_a_folder_opens_behind_the_door(tmp_path: Path) -> None:
    save_extractor(extractor("bert"), tokenizer("bert", tmp_path / "tokens"), tmp_path / "model")
    same, direct = open_extractor(tmp_path / "model"), local("bert", tmp_path / "tokens")
    assert same.generate(PROMPTS, Sampling()) == direct.generate(PROMPTS, Sampling())
    with pytest.raises(UserError, match="holds no model that answers"):
        open_extractor(encoder_folder("bert", tmp_path / "bare"))
