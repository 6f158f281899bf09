"""Noise of the size that was published, for each text's own length, and only while the net learns."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from dragoman.nn.store import fresh_lm
from dragoman.train.fitting import Lesson
from dragoman.train.neftune import draw_noise, noisy
from dragoman.train.objectives.seq2seq import Seq2seq
from dragoman.train.objectives.sft import Sft
from dragoman.train.tuning.prefix import Prefix
from dragoman.train.tuning.soft_prompt import SoftPrompt
from tests.train.lessons import kit, lessons, model

ALPHA, WIDTH = 5.0, 64


def test_its_deviation_is_alpha_over_the_root_of_three_times_length_times_width() -> None:
    torch.manual_seed(0)
    noise = draw_noise(torch.zeros(300, 40, WIDTH), None, ALPHA)
    assert float(noise.std()) == pytest.approx(ALPHA / math.sqrt(3 * 40 * WIDTH), rel=0.01)
    assert abs(float(noise.mean())) < 1e-3
    assert float(noise.abs().max()) <= ALPHA / math.sqrt(40 * WIDTH)


def test_each_document_has_its_own_length() -> None:
    """Not the padded row's: there the short texts would get the least for each token."""
    torch.manual_seed(0)
    segments = torch.tensor([[0] * 4 + [1] * 16 + [2] * 12, [7] * 25 + [-1] * 7]).repeat(400, 1)
    noise = draw_noise(torch.zeros(*segments.shape, WIDTH), segments, ALPHA)
    for number, length in ((0, 4), (1, 16), (2, 12), (7, 25)):
        found = float(noise[segments == number].std())
        assert found == pytest.approx(ALPHA / math.sqrt(3 * length * WIDTH), rel=0.01)


@pytest.mark.parametrize("name", ["sft", "seq2seq"])
def test_only_a_net_that_learns_reads_with_it(name: str) -> None:
    net = model(name)
    given = {"ids": torch.randint(4, 200, (2, 9)), "targets": torch.randint(4, 200, (2, 5))}

    def states(alpha: float) -> torch.Tensor:
        with torch.no_grad(), noisy(net, None, alpha):
            found: torch.Tensor = (
                net.states(given["ids"]) if name == "sft" else net.states(given["ids"], None, given["targets"])
            )
            return found

    net.eval()
    plain = states(0.0)
    assert torch.equal(states(ALPHA), plain)
    net.train()
    assert torch.equal(states(0.0), plain)
    assert not torch.allclose(states(ALPHA), plain, atol=1e-2)
    assert not torch.equal(states(ALPHA), states(ALPHA))
    net.eval()
    assert torch.equal(states(ALPHA), plain)  # nothing stays behind


def test_it_goes_also_where_something_breaks() -> None:
    net = model("sft").train()
    with pytest.raises(ZeroDivisionError), noisy(net, None, ALPHA):
        raise ZeroDivisionError
    assert not net.embeddings._forward_hooks


def embedded(net: Any, ids: torch.Tensor, alpha: float) -> torch.Tensor:
    """What enters the first block."""
    found: list[torch.Tensor] = []
    hook = getattr(net, "encoder", net).embeddings.register_forward_hook(lambda *given: found.append(given[2]))
    with torch.no_grad(), noisy(net, None, alpha):
        net.states(ids) if not hasattr(net, "encoder") else net.states(ids, None, ids[:, :3])
    hook.remove()
    return found[0]


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_words_and_noise_are_scaled_alike(scale: float) -> None:
    torch.manual_seed(0)
    net = fresh_lm(replace(model().arch, embedding_scale=scale)).train()
    ids = torch.randint(4, 200, (400, 20))
    noise = embedded(net, ids, ALPHA) - embedded(net, ids, 0.0)
    assert float(noise.std()) == pytest.approx(scale * ALPHA / math.sqrt(3 * 20 * net.arch.width), rel=0.01)


@pytest.mark.parametrize("tuning", [SoftPrompt(tokens=5), Prefix(tokens=5)], ids=["soft_prompt", "prefix"])
@pytest.mark.parametrize("name", ["sft", "seq2seq"])
def test_learnt_vectors_get_none_and_every_document_its_own(name: str, tuning: Any) -> None:
    torch.manual_seed(0)
    net = tuning.apply(model(name), 0).train()
    objective: Any = Sft(neftune=ALPHA) if name == "sft" else Seq2seq(neftune=ALPHA)
    batch = next(objective.stream(net, objective.encode(net, Lesson(lessons(9)), kit(name)), kit(name), 0))[0]
    assert torch.isfinite(objective.loss(net, batch, kit(name)).total)
    ids = torch.randint(4, 200, (40, 9))
    moved = (embedded(net, ids, ALPHA) - embedded(net, ids, 0.0)).abs().sum((0, 2))
    assert moved.shape == (14,)
    assert torch.all(moved[:5] == 0) and torch.all(moved[5:] > 0)


def test_the_side_that_writes_reads_without_noise() -> None:
    net = model("seq2seq").train()
    found: list[torch.Tensor] = []
    hook = net.decoder.embeddings.register_forward_hook(lambda *given: found.append(given[2]))
    for alpha in (0.0, ALPHA):
        with torch.no_grad(), noisy(net, None, alpha):
            net.states(torch.randint(4, 200, (2, 9)), None, torch.arange(4, 14).view(2, 5))
    hook.remove()
    assert torch.equal(*found)
