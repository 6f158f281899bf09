"""What a config.json may say, and what it may not."""

from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.family import FAMILIES, activation_name, number, published_activation, refuse_unsupported
from dragoman.nn.store import build_lm, encoder_family_of, family_of
from tests.nets import shape


def test_the_families_are_the_files_of_the_folder() -> None:
    encoders = ("bert", "distilbert", "roberta")
    llamas = ("gemma", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")
    assert FAMILIES.names() == tuple(sorted((*encoders, *llamas, "gpt2", "bart", "t5")))


def test_an_unknown_family_gets_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        family_of("robert")
    assert "did you mean 'roberta'" in caught.value.hint


def test_a_family_that_writes_is_no_encoder() -> None:
    assert encoder_family_of("roberta").kind == "encoder"
    with pytest.raises(UserError, match="gpt2 is a decoder"):
        encoder_family_of("gpt2")


@pytest.mark.parametrize("value", [None, "many", True, [3]])
def test_a_number_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(UserError, match="hidden_size"):
        number({"hidden_size": value}, "hidden_size")


def test_a_default_stands_in_for_what_is_missing() -> None:
    assert number({}, "hidden_size", 7) == 7
    assert number({"hidden_size": 8}, "hidden_size", 7) == 8


def test_activations_have_two_names() -> None:
    assert activation_name({"hidden_act": "gelu_new"}, "hidden_act") == "gelu_tanh"
    assert published_activation("gelu_tanh") == "gelu_new"
    assert activation_name({}, "hidden_act") == "gelu"
    with pytest.raises(UserError, match="mish"):
        activation_name({"hidden_act": "mish"}, "hidden_act")


def test_what_is_not_built_is_refused_by_its_key() -> None:
    with pytest.raises(UserError, match="position_embedding_type"):
        refuse_unsupported({"position_embedding_type": "relative_key"}, {"position_embedding_type": ("absolute",)})


ODD: tuple[Any, ...] = (None, True, 0, -1, 0.5, 1e300, "x", [], {"a": 1})
TOLD = ("gpt2", "llama llama3", "llama yarn", "mistral window", "qwen2 window", "qwen3", "gemma", "gemma3_text")
READ = ("bert", "roberta", "distilbert", "t5", "bart")


@pytest.mark.parametrize("name", [*TOLD, *READ])
def test_no_value_of_any_key_is_a_traceback(name: str) -> None:
    family = family_of(name.split()[0])
    good = family.write(shape(name))
    places = [(key,) for key in good] + [
        (key, part) for key in good if isinstance(good[key], dict) for part in good[key]
    ]
    refused = 0
    for place in places:
        for value in ODD:
            config = {key: dict(told) if isinstance(told, dict) else told for key, told in good.items()}
            (config if len(place) == 1 else config[place[0]])[place[-1]] = value
            try:
                arch = family.read(config)
                if arch.layers < 10:
                    with torch.device("meta"):
                        build_lm(arch)
            except UserError:
                refused += 1
    assert refused > len(places)
