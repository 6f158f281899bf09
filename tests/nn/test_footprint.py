"""Published figures of memory are found again, and each part answers to what it should."""

from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.activations import Pass
from dragoman.nn.footprint import (
    PARTS,
    Learning,
    answering_memory,
    cache_bytes,
    count,
    evaluation_memory,
    lora_parameters,
    pieces,
    training_memory,
)
from dragoman.nn.store import family_of

GPT = family_of("gpt2").presets["small"]
LLAMA = family_of("llama").presets["2-7b"]


@pytest.mark.parametrize(
    ("family", "size", "parameters"),
    [
        ("gpt2", "small", 124_439_808),
        ("llama", "2-7b", 6_738_415_616),
        ("llama", "3.1-8b", 8_030_261_248),
        ("qwen3", "0.6b", 596_049_920),
        ("bert", "base", 109_514_298),
    ],
)
def test_published_sizes(family: str, size: str, parameters: int) -> None:
    assert count(family_of(family).presets[size]).total == parameters


def test_the_parts_are_the_whole() -> None:
    whole = count(GPT)
    assert sum(getattr(whole, part) for part in PARTS) == whole.total == sum(one.numbers for one in pieces(GPT))
    assert whole.blocks == whole.total - whole.words - whole.places, "tied, so there is no head of its own"


def test_the_cache_of_published_models() -> None:
    """Llama 2 7B at 4,096 tokens in fp16: 2.0 GiB; Llama 3 8B, whose 8 heads answer, at 8,192: 1.0 GiB."""
    assert cache_bytes(LLAMA, 1, 4096, 2) == 2 * 2**30
    assert cache_bytes(family_of("llama").presets["3.1-8b"], 1, 8192, 2) == 2**30


def test_sixteen_bytes_a_parameter_and_eighteen_with_a_copy_and_its_gradients() -> None:
    """fp32 AdamW: 4 + 4 + 8. In bf16 the copy and its gradients stand beside them: 2 + 2 more."""
    single, half = (training_memory(GPT, Pass(1, 8, precision=one)) for one in ("fp32", "bf16"))
    parameters, tensors = count(GPT).total, count(GPT).tensors

    def held(memory: object) -> int:
        return sum(getattr(memory, part) for part in ("weights", "copy", "gradients", "optimizer")) - 4 * tensors

    assert held(single) == 16 * parameters
    assert held(half) == 20 * parameters


def test_muon_saves_four_bytes_of_each_number_in_a_matrix() -> None:
    adamw, muon = (training_memory(GPT, Pass(1, 8), Learning(kind)).optimizer for kind in ("adamw", "muon"))
    hidden = [one for one in pieces(GPT) if one.hidden]
    assert adamw - muon == sum(4 * one.numbers + 4 * one.times for one in hidden)


def test_what_does_not_learn_has_no_gradient() -> None:
    step = Pass(1, 64, precision="bf16")
    full, lora, qlora = (training_memory(LLAMA, step, Learning(tuning=one)) for one in ("full", "lora", "qlora"))
    thin = lora_parameters(LLAMA, 8, Learning().where)
    assert lora.gradients == qlora.gradients == 6 * thin
    assert lora.optimizer == qlora.optimizer
    assert lora.weights == 4 * (count(LLAMA).total + thin)
    assert lora.copy == 2 * (count(LLAMA).total + thin)  # the frozen weights are held in both numbers
    assert full.total > lora.total > qlora.total
    assert lora.activations < full.activations
    # 6.5 billion numbers in blocks at 4.127 bits, the words and their prediction in bf16
    whole = count(LLAMA)
    matrices = whole.attention + whole.feed_forward
    stored = qlora.weights - 4 * thin
    assert stored == pytest.approx(matrices * 4.127 / 8 + 2 * (whole.total - matrices), rel=1e-4)


def test_a_matrix_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError) as told:
        training_memory(GPT, Pass(1, 8), Learning(tuning="lora", where=("gate",)))
    assert "'gate'" in told.value.problem
    assert "query" in told.value.hint


def test_logits_by_chunks_do_not_grow_with_the_batch() -> None:
    def logits(batch: int, chunk: int) -> int:
        return training_memory(GPT, Pass(batch, 512), Learning(chunk=chunk)).logits

    assert logits(16, 0) == 2 * logits(8, 0) == 16 * 512 * GPT.vocabulary * 8
    assert logits(16, 256) - logits(8, 256) == 8 * 512 * GPT.width * 4, "the gradient of the states alone"
    assert logits(16, 256) < logits(16, 0) / 4


def test_recomputed_blocks_keep_their_inputs_and_one_of_them_whole() -> None:
    step = Pass(8, 512)
    plain, again = (training_memory(GPT, one).activations for one in (step, replace(step, recompute=True)))
    assert again < plain / 4


def test_answering_holds_weights_and_cache() -> None:
    half, eight, four = (answering_memory(LLAMA, 1, 4096, form) for form in ("bf16", "int8", "nf4"))
    assert half.weights == 2 * count(LLAMA).total
    assert half.cache == eight.cache == four.cache == 2 * 2**30
    assert half.weights > eight.weights > four.weights
    assert half.gradients == half.optimizer == half.activations == 0
    assert answering_memory(family_of("bert").presets["base"], 1, 128).cache == 0


def test_measuring_keeps_what_stays_between_steps_and_no_activations() -> None:
    step = Pass(8, 512, precision="bf16")
    training, measuring = training_memory(GPT, step), evaluation_memory(GPT, step, Learning(chunk=256))
    assert (measuring.weights, measuring.copy, measuring.optimizer) == (
        training.weights,
        training.copy,
        training.optimizer,
    )
    assert measuring.activations < training.activations / 10
    assert measuring.logits == 256 * GPT.vocabulary * 6
    assert measuring.gradients == 4 * count(GPT).total
