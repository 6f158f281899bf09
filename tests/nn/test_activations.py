"""What a pass keeps follows each of its settings; that it is exact is shown in tests/laws/test_plan_laws.py."""

from dataclasses import replace

import pytest

from dragoman.nn.activations import Pass, block_bytes, step_activations
from dragoman.nn.store import family_of

GPT = replace(family_of("gpt2").presets["small"], dropout=0.0, attention_dropout=0.0)
LLAMA = family_of("llama").presets["smollm2-135m"]


def test_a_layer_of_gpt_by_hand() -> None:
    """32 numbers of two bytes a token and width (34 less two bytes of dropout masks), the norms' and kernels' own
    aside."""
    found = block_bytes(GPT, Pass(8, 512, precision="fp16"))
    assert found == pytest.approx(32 * 8 * 512 * GPT.width, rel=0.01)


def test_the_whole_of_a_seven_billion_model() -> None:
    """Width 4,096, 32 layers, one text of 2,048: 8.5 GiB fused, 0.5 of inputs (Korthikanti 2022)."""
    seven = replace(GPT, width=4096, layers=32, heads=32, feed_forward=16384, positions=2048, vocabulary=64)
    step = Pass(1, 2048, precision="fp16", device="cuda")
    whole = step_activations(seven, step)
    assert whole / 2**30 == pytest.approx(8.0, abs=0.1), "8.5 with the masks of dropout"
    dropped = replace(seven, dropout=0.1)
    assert step_activations(dropped, replace(step, dropout=True)) / 2**30 == pytest.approx(8.5, abs=0.1)
    inputs = step_activations(seven, replace(step, recompute=True)) - block_bytes(seven, step)
    assert inputs / 2**30 == pytest.approx(0.5, abs=0.06)


def test_activations_grow_with_texts_and_tokens() -> None:
    one = block_bytes(LLAMA, Pass(1, 256))
    assert block_bytes(LLAMA, Pass(4, 256)) == 4 * one == block_bytes(LLAMA, Pass(1, 1024))


def test_a_mask_grows_with_the_square() -> None:
    for length in (256, 512):
        masked, plain = (block_bytes(LLAMA, Pass(2, length, masked=one)) for one in (True, False))
        assert masked - plain == 4 * 2 * length**2


def test_one_kernel_of_a_gpu_keeps_less_of_a_norm() -> None:
    assert block_bytes(LLAMA, Pass(2, 64, device="cuda")) < block_bytes(LLAMA, Pass(2, 64))


@pytest.mark.parametrize("length", [512, 513])
def test_short_texts_in_bf16_keep_the_shares_on_the_cpu(length: int) -> None:
    half, other = (block_bytes(GPT, Pass(1, length, precision=one)) for one in ("bf16", "fp16"))
    assert (half > other) == (length <= 512)


def test_fewer_answering_heads_keep_fewer_keys() -> None:
    many = replace(LLAMA, kv_heads=9)
    saved = block_bytes(many, Pass(1, 64)) - block_bytes(LLAMA, Pass(1, 64))
    assert saved == 4 * 64 * 2 * 6 * LLAMA.head_size


def test_a_source_is_read_by_its_own_length() -> None:
    arch = family_of("bart").presets["base"]
    assert step_activations(arch, Pass(1, 64, 128)) < step_activations(arch, Pass(1, 64, 256))
    assert step_activations(arch, Pass(1, 64)) == step_activations(arch, Pass(1, 64, 64))
