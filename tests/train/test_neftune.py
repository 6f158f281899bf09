"""Noise of the size that was published, for each text's own length, and only while the net learns."""

import math

import pytest
import torch

from dragoman.train.neftune import draw_noise, noisy
from tests.train.lessons import model

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
