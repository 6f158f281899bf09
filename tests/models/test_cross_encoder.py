"""A question and a passage in one row: as transformers reads them, cut on the passage's side, and what is refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.app.assistant import NoModel
from dragoman.app.passages import numbered
from dragoman.app.steps.rerank import Rerank
from dragoman.app.turn import Turn
from dragoman.core.documents import Chunk, Hit
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.models.cross_encoder import CrossEncoder, open_cross_encoder
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.scorer import Scorer, load_scorer, save_scorer
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import ARCHES, amplify, encoder_folder, tokenizer
from tests.nn.tiny_lm import folder_of, tokens, writer

QUESTIONS = ("the mat", "a dog ran", "the cat", "", "the mat")
TEXTS = ("the cat sat on the mat.", "a dog ran fast!", "dogs", "the", "")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder, an encoder without a head, and a decoder that scores."""
    folder = tmp_path_factory.mktemp("cross")
    net: Any = Scorer(fresh_encoder(ARCHES["bert"]), Head(ARCHES["bert"], 1))
    amplify(net)
    save_scorer(net.eval(), tokenizer("bert", folder / "bert-tokens"), folder / "bert")
    encoder_folder("bert", folder / "encoder")
    body = writer("llama")
    assert isinstance(body, Decoder)
    decoder: Any = Scorer(body, TokenHead(body.arch, 1))
    amplify(decoder)
    save_scorer(decoder.eval(), tokens("llama", folder / "llama-tokens", TEMPLATES["plain"]), folder / "llama")
    folder_of("llama", folder / "writer")
    return folder


@pytest.fixture(scope="module")
def reader(place: Path) -> CrossEncoder:
    """It, opened."""
    return open_cross_encoder(place / "bert", "cpu")


def test_a_published_one_scores_as_in_transformers(place: Path, tmp_path: Path) -> None:
    """A random BertForSequenceClassification of one label, as a hub writes it: two texts, token types, padding."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    words = Tokenizer(place / "bert").size
    config = transformers.BertConfig(
        vocab_size=words,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        num_labels=1,
        initializer_range=0.3,
    )
    theirs = transformers.BertForSequenceClassification(config).eval()
    theirs.save_pretrained(tmp_path / "hub")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(place / "bert" / name, tmp_path / "hub" / name)
    back = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "hub").eval()
    split = transformers.AutoTokenizer.from_pretrained(tmp_path / "hub")
    with torch.inference_mode():
        batch = split(list(QUESTIONS), list(TEXTS), padding=True, return_tensors="pt")
        assert batch["token_type_ids"].any()
        expected = back(**batch).logits[:, 0].double().numpy()
    found = open_cross_encoder(tmp_path / "hub", "cpu").rate(QUESTIONS, TEXTS)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_alone_or_together_a_pair_scores_the_same(reader: CrossEncoder) -> None:
    together = reader.rate(QUESTIONS, TEXTS)
    alone = [float(reader.rate([one], [other])[0]) for one, other in zip(QUESTIONS, TEXTS, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert reader.rate([], []).shape == (0,)
    assert abs(reader.rate(["dogs"], ["the cat"])[0] - reader.rate(["the cat"], ["dogs"])[0]) > 1e-4


def test_the_passage_is_cut_and_a_question_takes_half_at_the_most(place: Path) -> None:
    net, words = load_scorer(place / "bert"), Tokenizer(place / "bert")
    short = CrossEncoder(net, words, max_length=13)  # [CLS] q [SEP] p [SEP]: 10 for both texts
    long = " the" * 40
    for question, text in (("the mat", long), (long, long), (long, "the mat"), ("the", "cat")):
        [row] = short._rows([question], [text])
        asked = row.index(words.pair[1][0], 1) - 1
        told = len(row) - 3 - asked
        assert len(row) <= 13
        assert asked == min(len(words.plain([question])[0]), max(5, 10 - len(words.plain([text])[0])))
        assert told == min(len(words.plain([text])[0]), 10 - asked)
    assert short.cut(["the", long], ["cat", "cat"]) == 1
    assert np.isfinite(short.rate([long], [long])).all()


def test_the_step_of_an_assistant_takes_it(reader: CrossEncoder) -> None:
    hits = [Hit(Chunk(str(row), 0, 0, len(text), text), 0.5) for row, text in enumerate(TEXTS[:3])]
    [turn] = Rerank(reader.rate, keep=2)([Turn("the mat", passages=numbered(hits))], NoModel())
    best = np.argsort(-reader.rate(["the mat"] * 3, TEXTS[:3]))[:2]
    assert [passage.chunk.text for passage in turn.passages] == [TEXTS[row] for row in best]


def test_a_run_is_found_by_its_name(place: Path, reader: CrossEncoder, tmp_path: Path) -> None:
    run = Run.begin(tmp_path / "runs", "reward", {}, {"parts": "gone"})
    shutil.copytree(place / "bert", run.folder / "model")
    run.finish({})
    for name, runs in ((run.id, tmp_path / "runs"), (str(run.folder), None)):
        found = open_cross_encoder(name, "cpu", runs=runs).rate(QUESTIONS, TEXTS)
        np.testing.assert_allclose(found, reader.rate(QUESTIONS, TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [("encoder", "no model that rates passages"), ("llama", "read by an encoder"), ("writer", "no model that rates")],
)
def test_what_does_not_read_pairs_is_refused(place: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_cross_encoder(place / name, "cpu")


def test_lengths_that_cannot_be_are_refused(place: Path) -> None:
    net, words = load_scorer(place / "bert"), Tokenizer(place / "bert")
    with pytest.raises(UserError, match="no room"):
        CrossEncoder(net, words, max_length=4)
    with pytest.raises(UserError, match="positions"):
        CrossEncoder(net, words, max_length=100_000)
