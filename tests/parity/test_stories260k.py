"""A real model of 260 thousand parameters, published with its answers: the same words, the same probabilities."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import load_lm
from dragoman.nn.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "models" / "stories260K"


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    return json.loads((folder / "reference.json").read_text())


@pytest.fixture(scope="module")
def net(folder: Path) -> Decoder:
    loaded = load_lm(folder)
    assert isinstance(loaded, Decoder)
    return loaded


def test_the_most_probable_story_is_the_published_one(net: Decoder, folder: Path, reference: Any) -> None:
    expected = reference["greedy_ids_from_bos"]
    ids = expected[:1]
    cache = Cache(net.arch, 1, len(expected), torch.float32, torch.device("cpu"))
    with torch.no_grad():
        while len(ids) < len(expected):
            ids.append(int(net(torch.tensor([ids[-1:]]), None, cache)[0, -1].argmax()))
        assert ids == reference["greedy_ids_from_bos"]
        at_once = net(torch.tensor([ids]))[0].argmax(-1)
    assert at_once[:-1].tolist() == ids[1:]
    assert Tokenizer(folder).decode(ids).strip().startswith(reference["published_greedy_text"][:200])


def test_probabilities_are_the_published_ones(net: Decoder, folder: Path, reference: Any) -> None:
    ids = Tokenizer(folder).start(reference["scored_text"])
    assert ids == reference["scored_ids"]
    with torch.no_grad():
        logits = net(torch.tensor([ids]))[0]
    told = logits.log_softmax(-1)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    assert told.tolist() == pytest.approx(reference["token_logprobs"], abs=1e-4)
    assert float(told.mean()) == pytest.approx(reference["mean_logprob"], abs=1e-4)
    assert logits[-1, :10].tolist() == pytest.approx(reference["last_logits_first10"], abs=1e-4)
