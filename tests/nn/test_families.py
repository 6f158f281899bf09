"""What holds for every family that writes: shapes come back, sizes are the published ones, mistakes are named."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.store import family_of
from tests.nets import parameters, shape

SHAPES = {  # the first of a family stands for it below
    "gpt2": ["gpt2"],
    "llama": ["llama", "llama llama3", "llama linear", "llama yarn", "llama biases", "llama tied"],
    "mistral": ["mistral window"],
    "qwen2": ["qwen2", "qwen2 window"],
    "qwen3": ["qwen3"],
    "gemma": ["gemma"],
    "gemma3_text": ["gemma3_text"],
    "t5": ["t5", "t5 gated"],
    "bart": ["bart"],
}
COUNTS = {
    "gpt2": {"small": 124_439_808, "medium": 354_823_168, "large": 774_030_080, "xl": 1_557_611_200},
    "llama": {
        "smollm2-135m": 134_515_008,
        "smollm2-360m": 361_821_120,
        "tinyllama-1.1b": 1_100_048_384,
        "3.2-1b": 1_235_814_400,
        "3.1-8b": 8_030_261_248,
        "2-7b": 6_738_415_616,
    },
    "mistral": {"7b-v0.1": 7_241_732_096, "7b-v0.3": 7_248_023_552},
    "qwen2": {"0.5b": 494_032_768, "1.5b": 1_543_714_304, "7b": 7_615_616_512},
    "qwen3": {"0.6b": 596_049_920, "1.7b": 1_720_574_976, "4b": 4_022_468_096, "8b": 8_190_735_360},
    "gemma": {"2b": 2_506_172_416, "7b": 8_537_680_896},
    "gemma3_text": {"270m": 268_098_176, "1b": 999_885_952},
    "t5": {
        "small": 60_506_624,
        "base": 222_903_552,
        "large": 737_668_096,
        "flan-small": 76_961_152,
        "flan-base": 247_577_856,
    },
    # and a bias for every word, which transformers calls a buffer
    "bart": {"base": 139_420_416 + 50_265, "large": 406_291_456 + 50_265},
}
NEEDED = {
    "gpt2": ["vocab_size", "n_embd", "n_layer", "n_head"],
    "llama": ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"],
    "mistral": ["vocab_size", "hidden_size", "intermediate_size"],
    "qwen2": ["vocab_size", "hidden_size"],
    "qwen3": ["vocab_size", "hidden_size"],
    "gemma": ["vocab_size", "hidden_size"],
    "gemma3_text": ["vocab_size", "hidden_size"],
    "t5": ["vocab_size", "d_model", "d_ff"],
    "bart": ["vocab_size"],
}
REFUSED = {
    "gpt2": [
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("activation_function", "mish"),
    ],
    "llama": [
        ("pretraining_tp", 2),
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("partial_rotary_factor", 0.5),
        ("hidden_act", "mish"),
    ],
    "mistral": [("pretraining_tp", 2), ("attn_logit_softcapping", 50.0)],
    "qwen2": [("pretraining_tp", 2), ("attn_logit_softcapping", 50.0)],
    "qwen3": [("pretraining_tp", 2), ("attn_logit_softcapping", 50.0)],
    "gemma": [
        ("pretraining_tp", 2),
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("use_bidirectional_attention", True),
    ],
    "gemma3_text": [
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("use_bidirectional_attention", True),
    ],
    "t5": [("feed_forward_proj", "gated-mish"), ("feed_forward_proj", "gelu")],
    "bart": [("add_final_layer_norm", True), ("normalize_before", True), ("activation_function", "mish")],
}


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        (name, arch)
        for name, known in SHAPES.items()
        for arch in (*family_of(name).presets.values(), *(shape(one) for one in known))
    ],
)
def test_a_shape_comes_back_from_its_config(name: str, arch: Arch) -> None:
    assert family_of(name).read(family_of(name).write(arch)) == arch


@pytest.mark.parametrize(("name", "size"), [(name, size) for name in SHAPES for size in family_of(name).presets])
def test_a_published_size_has_the_published_count(name: str, size: str) -> None:
    assert parameters(family_of(name).presets[size]) == COUNTS[name][size]


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in NEEDED.items() for key in keys])
def test_a_missing_size_is_named(name: str, key: str) -> None:
    config = family_of(name).write(shape(SHAPES[name][0]))
    del config[key]
    with pytest.raises(UserError, match=key):
        family_of(name).read(config)


@pytest.mark.parametrize(
    ("name", "key", "value"), [(name, key, value) for name, pairs in REFUSED.items() for key, value in pairs]
)
def test_what_is_not_built_is_refused_by_its_key(name: str, key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        family_of(name).read({**family_of(name).write(shape(SHAPES[name][0])), key: value})
    assert caught.value.hint
