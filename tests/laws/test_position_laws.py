"""Positions keep the promises of their papers: distances, rotations, slopes and buckets."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dragoman.nn.arch import Rope
from dragoman.nn.decoder import Decoder
from dragoman.nn.positions import RelativeBias, Rotary, alibi_slopes, bucket_of, frequencies, sinusoids, turn
from tests.nets import close, decoder, shape, some, two_stacks

ROPES = (
    Rope(),
    Rope(5e5, "llama3", 8.0, 32),
    Rope(1e4, "linear", 4.0),
    Rope(1e4, "yarn", 8.0, 32),
)


def _turned(states: Tensor, place: int, rope: Rope) -> Tensor:
    return turn(states, Rotary(rope, states.shape[-1])(torch.tensor([[place]]), states.dtype))


@pytest.mark.parametrize("rope", ROPES, ids=[rope.scaling for rope in ROPES])
def test_a_turned_product_knows_the_distance_alone(rope: Rope) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 32).unbind(0)
    gain = frequencies(rope, 32)[1]
    for behind in (0, 1, 7, 40):
        products = [float((_turned(query, m, rope) * _turned(key, m - behind, rope)).sum()) for m in (40, 55, 90)]
        assert max(products) - min(products) < 1e-4  # angles of 90 radians have 7 digits
    assert float(_turned(query, 55, rope).norm()) == pytest.approx(gain * float(query.norm()), rel=1e-6)


@pytest.mark.parametrize("name", ["llama", "llama yarn", "qwen3", "gemma3_text", "alibi", "no positions"])
def test_shifting_all_positions_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, ids = decoder(name), some(2, 20)
    with torch.no_grad():
        before = net(ids)
        there = Decoder._places
        monkeypatch.setattr(Decoder, "_places", lambda *given: (there(*given)[0] + 50, None))
        after = net(ids)
    assert close(after, before)


@pytest.mark.parametrize("name", ["gpt2", "sinusoidal"])
def test_where_positions_are_absolute_it_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, ids = decoder(name), some(2, 20)
    with torch.no_grad():
        before = net(ids)
        there = Decoder._places
        monkeypatch.setattr(Decoder, "_places", lambda *given: (there(*given)[0] + 50, None))
        assert not close(net(ids), before, 0.1)


def test_scalings_by_their_papers() -> None:
    plain, _ = frequencies(Rope(5e5), 64)
    assert torch.equal(frequencies(Rope(5e5, "linear", 4.0), 64)[0], plain / 4)
    turns = 8192 * plain / (2 * math.pi)
    slowed, gain = frequencies(Rope(5e5, "llama3", 8.0, 8192), 64)
    assert gain == 1.0
    assert torch.equal(slowed[turns > 4], plain[turns > 4])
    assert torch.allclose(slowed[turns < 1], plain[turns < 1] / 8, rtol=1e-6)
    between = (turns > 1) & (turns < 4)
    assert bool(between.any())
    assert bool((slowed[between] < plain[between]).all() and (slowed[between] > plain[between] / 8).all())
    ramped, gain = frequencies(Rope(1e4, "yarn", 8.0, 4096), 64)
    assert gain == pytest.approx(0.1 * math.log(8) + 1)
    assert bool((ramped[:5] == frequencies(Rope(), 64)[0][:5]).all())
    assert torch.allclose(ramped[-1], frequencies(Rope(), 64)[0][-1] / 8)
    assert frequencies(Rope(1e4, "yarn", 8.0, 4096, attention=1.25), 64)[1] == 1.25


def test_the_slopes_of_alibi() -> None:
    assert alibi_slopes(8).tolist() == [2.0**-power for power in range(1, 9)]
    assert alibi_slopes(12).tolist() == pytest.approx(
        [2.0**-power for power in range(1, 9)] + [2.0**-power for power in (0.5, 1.5, 2.5, 3.5)]
    )
    assert alibi_slopes(1).tolist() == [2.0**-8]


@pytest.mark.parametrize("both_ways", [False, True], ids=["writes", "reads"])
@pytest.mark.parametrize(("buckets", "reach"), [(32, 128), (16, 64)])
def test_the_buckets_of_t5(both_ways: bool, buckets: int, reach: int) -> None:
    t5 = pytest.importorskip("transformers.models.t5.modeling_t5")
    distances = torch.arange(-300, 301)[None]
    expected = t5.T5Attention._relative_position_bucket(distances, both_ways, buckets, reach)
    assert torch.equal(bucket_of(distances, both_ways, buckets, reach), expected)


@pytest.mark.parametrize("both_ways", [False, True], ids=["writes", "reads"])
def test_a_distance_is_the_same_everywhere(both_ways: bool) -> None:
    torch.manual_seed(0)
    bias = RelativeBias(shape("t5"), both_ways)
    asking, seen = torch.arange(30), torch.arange(40)
    assert torch.equal(bias(asking, seen), bias(asking + 500, seen + 500))


def test_both_stacks_have_a_table_of_distances_for_all_their_blocks() -> None:
    net = two_stacks("t5")
    tables = [name for name, _ in net.named_parameters() if "relative" in name]
    assert tables == ["encoder.sights.relative.table.weight", "decoder.sights.relative.table.weight"]
    assert net.encoder.sights.relative.both_ways
    assert not net.decoder.sights.relative.both_ways


@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_step_turns_every_wave_by_the_same_angle(step: int) -> None:
    width = 32
    waves = sinusoids(torch.arange(300)[None], width)[0].double().view(300, width // 2, 2)
    angles = step / 10_000.0 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    sin, cos = waves[: 300 - step].unbind(-1)
    turned = torch.stack((sin * angles.cos() + cos * angles.sin(), cos * angles.cos() - sin * angles.sin()), -1)
    assert (turned - waves[step:]).abs().max() < 2e-7  # the waves themselves are float32
    assert waves[0].tolist() == [[0.0, 1.0]] * (width // 2)


def test_waves_of_an_odd_width_and_of_any_rows() -> None:
    assert sinusoids(torch.tensor([[3, 9], [0, 1]]), 7).shape == (2, 2, 7)
    assert torch.equal(sinusoids(torch.tensor([[9]]), 8)[0, 0], sinusoids(torch.arange(10)[None], 8)[0, 9])


def test_a_window_reaches_so_far_and_no_farther() -> None:
    arch = replace(shape("mistral window"), layers=1)
    assert [arch.reach(0), shape("llama").reach(0)] == [8, 0]
    net = Decoder(arch).eval()
    ids = some(1, 20)
    other = ids.clone()
    other[0, 5] = (ids[0, 5] + 1) % 99
    with torch.no_grad():
        moved = (net(ids) != net(other)).any(-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(5, 13))  # itself and the 7 behind: 8 tokens see it
