"""Many adapters over one base: each answers as if merged alone, in mixed batches too, and others come and go unfelt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message
from dragoman.models.adapters import AdaptedLM
from dragoman.models.local import LocalLM
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.store import load_lm
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.adapter import write_adapter
from dragoman.train.tuning.dora import Dora
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import folder_of

TEXTS = ("the hill", "a tin in the tin", "hello", "all of it, and then", "x y", "a tin", "it")
PROMPTS = [[Message("user", text)] for text in TEXTS]
NAMES = ["thin", "thick", "", "thin", "thick", "thick", ""]
HOW = Sampling(max_tokens=7)
TUNINGS = {"thin": Lora(rank=2, where=("query", "value", "up")), "thick": Lora(rank=5, stabilised=True)}


def net_of(folder: Path) -> Decoder | EncoderDecoder:
    net = load_lm(folder)
    assert isinstance(net, Decoder | EncoderDecoder)
    return net


def trained(base: Path, tuning: Any, folder: Path, seed: int) -> Path:
    """An adapter that changes what its base says."""
    net = tuning.apply(net_of(base), 0)
    dice = torch.Generator().manual_seed(seed)
    for weight in net.parameters():
        if weight.requires_grad:
            weight.data.normal_(0, 0.15, generator=dice)
    write_adapter(net, tuning, folder, str(base))
    return folder


@pytest.fixture(scope="module", params=["llama", "gpt2", "t5"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base and two adapters."""
    home = tmp_path_factory.mktemp(request.param)
    folder_of(request.param, home / "base")
    for seed, (name, tuning) in enumerate(TUNINGS.items()):
        trained(home / "base", tuning, home / name, seed)
    return home


def opened(home: Path, names: tuple[str, ...] = ("thin", "thick"), **settings: Any) -> AdaptedLM:
    lm = AdaptedLM(net_of(home / "base"), Tokenizer(home / "base"), **settings)
    for name in names:
        lm.add(name, home / name)
    return lm


def merged(home: Path) -> Mapping[str, LocalLM]:
    """Each adapter merged into a model of its own, and the plain base."""
    found = {}
    for name in ("", "thin", "thick"):
        net = net_of(home / "base")
        if name:
            merge_adapter(net, home / name)
        found[name] = LocalLM(net, Tokenizer(home / "base"))
    return found


def texts(answers: list[Completion]) -> list[str]:
    return [answer.text for answer in answers]


def test_a_mixed_batch_answers_as_each_merged_alone(home: Path) -> None:
    lm, alone = opened(home), merged(home)
    mixed = texts(lm.generate(PROMPTS, HOW, NAMES))
    assert mixed == [alone[name].generate([one], HOW)[0].text for one, name in zip(PROMPTS, NAMES, strict=True)]
    plain = texts(alone[""].generate(PROMPTS, HOW))
    assert sum(one != other for one, other in zip(mixed, plain, strict=True)) >= 3
    for name, other in alone.items():
        assert texts(lm.of(name).generate(PROMPTS, HOW)) == texts(other.generate(PROMPTS, HOW))
        scores = [each.score(PROMPTS[:3], ["he", " the"]) for each in (lm.of(name), other)]
        assert np.abs(scores[0] - scores[1]).max() < 1e-5
    assert np.array_equal(lm.of().score(PROMPTS[:3], ["he"]), alone[""].score(PROMPTS[:3], ["he"]))
    assert "".join(lm.of("thin").stream(PROMPTS[0], HOW)) == mixed[0]


def test_logits_of_mixed_rows_are_those_of_the_merged(home: Path) -> None:
    lm, alone = opened(home), merged(home)
    told = Sampling(max_tokens=3, logprobs=2)
    for prompt, name, one in zip(PROMPTS, NAMES, lm.generate(PROMPTS, told, NAMES), strict=True):
        other = alone[name].generate([prompt], told)[0]
        assert one.logprobs
        for mine, wanted in zip(one.logprobs, other.logprobs, strict=True):
            assert mine.id == wanted.id
            assert abs(mine.logprob - wanted.logprob) < 2e-5


def test_others_come_and_go_unfelt(home: Path, tmp_path: Path) -> None:
    """Bit for bit: the log-probabilities of what the others say are the same numbers."""
    lm, told = opened(home), Sampling(max_tokens=5, logprobs=1)
    before = lm.generate(PROMPTS, told, NAMES)
    begun = lm.of("thin")
    lm.add("more", trained(home / "base", Lora(rank=16), tmp_path / "more", 9))
    assert lm.names == ("thin", "thick", "more")
    wanted = list(NAMES)
    wanted[4] = "more"
    during = lm.generate(PROMPTS, told, wanted)
    assert [one for row, one in enumerate(during) if row != 4] == [one for row, one in enumerate(before) if row != 4]
    assert during[4] != before[4]
    lm.remove("more")
    assert lm.generate(PROMPTS, told, NAMES) == before
    lm.remove("thin")
    assert texts(begun.generate(PROMPTS[:1], told)) == [before[0].text]  # what has begun goes on
    with pytest.raises(UserError, match="no adapter named 'thin'"):
        lm.generate(PROMPTS[:1], HOW, ["thin"])


def test_several_answers_and_beams(home: Path) -> None:
    lm = opened(home)
    twice = lm.generate(PROMPTS[:3], Sampling(max_tokens=5, n=2, temperature=1, top_k=1), NAMES[:3])
    once = lm.generate(PROMPTS[:3], Sampling(max_tokens=5), NAMES[:3])
    assert texts(twice) == [text for text in texts(once) for _ in range(2)]
    beams = Sampling(max_tokens=5, beams=2)
    alone = [lm.of(name).generate([one], beams)[0].text for one, name in zip(PROMPTS[:3], NAMES, strict=False)]
    assert texts(lm.generate(PROMPTS[:3], beams, NAMES[:3])) == alone


@pytest.mark.parametrize("weights", ["bf16", "int8", "int8_dynamic"])
def test_over_a_base_in_fewer_bits(tmp_path: Path, weights: Any) -> None:
    base = folder_of("llama", tmp_path / "base")
    for seed, (name, tuning) in enumerate(TUNINGS.items()):
        trained(base, tuning, tmp_path / name, seed)
    lm = opened(tmp_path, weights=weights)
    mixed = lm.generate(PROMPTS, HOW, NAMES)
    assert all(0 < one.tokens <= 7 for one in mixed)
    assert texts(mixed) != texts(lm.of().generate(PROMPTS, HOW))


def test_adapters_that_cannot_stay_beside_a_base_are_refused(tmp_path: Path) -> None:
    base = folder_of("llama", tmp_path / "base")
    trained(base, Lora(rank=4), tmp_path / "good", 1)
    lm = AdaptedLM(net_of(base), Tokenizer(base), rank=4)
    lm.add("good", tmp_path / "good")
    with pytest.raises(UserError, match="already"):
        lm.add("good", tmp_path / "good")
    with pytest.raises(UserError, match="rank 5, above 4"):
        lm.add("thick", trained(base, Lora(rank=5), tmp_path / "thick", 1))
    with pytest.raises(UserError, match="does not add to the matrices"):
        lm.add("dora", trained(base, Dora(rank=2), tmp_path / "dora", 1))
    other = folder_of("gpt2", tmp_path / "other")
    with pytest.raises(UserError, match="does not have"):
        lm.add("other", trained(other, Lora(rank=2), tmp_path / "foreign", 1))
    config = json.loads((tmp_path / "good" / "adapter_config.json").read_text())
    (tmp_path / "good" / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(UserError, match="cannot be merged"):
        lm.add("prompt", tmp_path / "good")
    with pytest.raises(UserError, match="no adapter named 'bad'") as caught:
        lm.of("bad")
    assert caught.value.hint == "those that are there: good"
    assert lm.names == ("good",)
