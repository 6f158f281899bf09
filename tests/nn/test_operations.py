"""Operations are six a parameter and token, and those of attention, which grow with the square of the text."""

import pytest

from dragoman.nn.footprint import count, lora_parameters
from dragoman.nn.operations import Flops, flops
from dragoman.nn.store import family_of


def test_six_a_parameter_and_token_and_twelve_for_each_layer_width_and_pair() -> None:
    arch = family_of("gpt2").presets["small"]
    work, whole = flops(arch, 4, 512), count(arch)
    tokens = 4 * 512
    assert work.matrices == 6 * (whole.attention + whole.feed_forward) * tokens
    assert work.attention == 12 * arch.layers * arch.width * 512 * tokens
    assert work.head == 6 * arch.width * arch.vocabulary * tokens
    assert work.total == pytest.approx(6 * whole.total * tokens + work.attention, rel=0.01)


def test_forward_alone_is_a_third() -> None:
    arch = family_of("llama").presets["smollm2-135m"]
    assert flops(arch, 2, 64, training=False).total * 3 == pytest.approx(flops(arch, 2, 64).total)


def test_recomputing_costs_less_than_a_pass_more() -> None:
    arch = family_of("llama").presets["smollm2-135m"]
    plain, again = flops(arch, 2, 64), flops(arch, 2, 64, recompute=True)
    assert plain.matrices < again.matrices < plain.matrices * 4 / 3
    assert again.attention == plain.attention * 4 / 3
    assert again.head == plain.head


def test_thin_matrices_save_the_gradients_of_the_whole_ones() -> None:
    arch = family_of("llama").presets["2-7b"]
    thin = lora_parameters(arch, 8, ("query", "value"))
    assert thin == 4_194_304, "rank 8 on query and value of a 7B (Hu et al. 2021)"
    share = flops(arch, 1, 128, thin=thin).total / flops(arch, 1, 128).total
    assert 2 / 3 < share < 0.7


def test_masked_words_are_predicted_where_they_stand() -> None:
    arch = family_of("bert").presets["base"]
    assert flops(arch, 1, 128, predicted=0.15).head == pytest.approx(0.15 * flops(arch, 1, 128).head)


def test_sums() -> None:
    assert Flops(1, 2, 3).plus(Flops(1, 1, 1)).times(2) == Flops(4, 6, 8)
    assert Flops(1, 2, 3).total == 6
