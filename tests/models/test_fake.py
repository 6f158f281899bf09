"""The fakes keep the doors' promises, always answer the same, and need no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from dragoman.core.doors import LM, Embedder
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.fake import FakeEmbedder, FakeLM

PROMPTS = [[Message("user", text)] for text in ("I want my money back", "where is the parcel", "hello")]


def test_a_named_label_wins() -> None:
    net = FakeLM(("money", "parcel"))
    assert isinstance(net, LM)
    assert [one.text for one in net.generate(PROMPTS[:2], Sampling())] == ["money", "parcel"]
    scores = net.score(PROMPTS, net.labels)
    assert scores.shape == (3, 2)
    assert np.abs(np.exp(scores).sum(1) - 1).max() < 1e-12
    assert np.array_equal(scores, net.score(PROMPTS, net.labels))
    assert net.score([], net.labels).shape == (0, 2)


def test_multi_label_scores_stand_alone() -> None:
    chances = np.exp(FakeLM(("money", "back"), multi_label=True).score(PROMPTS[:1], ("money", "back")))
    assert (chances > 0.5).all()


def test_without_labels_it_writes_its_answer() -> None:
    net = FakeLM(answer="one two three")
    assert net.generate(PROMPTS[:1], Sampling(max_tokens=2))[0].finish == "length"
    assert "".join(net.stream(PROMPTS[0], Sampling())) == "one two three"


def test_n_answers_stand_side_by_side() -> None:
    assert [one.text for one in FakeLM(answer="a").generate(PROMPTS[:2], Sampling(n=2, temperature=1))] == ["a"] * 4
    net = FakeLM(("money", "back"))
    [one, two] = net.generate(PROMPTS[:2], Sampling())
    assert net.generate(PROMPTS[:2], Sampling(n=2, temperature=1)) == [one, one, two, two]


def test_texts_that_share_words_lie_close() -> None:
    net = FakeEmbedder()
    assert isinstance(net, Embedder)
    vectors = net.embed(["the red cat", "a red cat", "seven blue whales swim", ""])
    assert vectors.dtype == np.float32
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert net.embed([]).shape == (0, 32)


def test_no_torch(root: Path) -> None:
    script = "import sys, dragoman.models.fake; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0
