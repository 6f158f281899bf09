"""Biases learn and nothing else, and where there are none it is said."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.anatomy import describe_learning
from dragoman.train.tuning.bitfit import Bitfit
from tests.nn.tiny_lm import writer
from tests.train.small import net


def test_every_bias_learns_and_the_head_whole() -> None:
    model = Bitfit().apply(net(), 0)
    listed = [name for name, _ in describe_learning(model)]
    body = [name for name in listed if not name.startswith("head.")]
    assert all(name.endswith(".bias") for name in body)
    assert "encoder.embeddings.norm.bias" in body
    assert len(body) == 3 * 8 + 1
    assert len(listed) - len(body) == 4
    assert set(Bitfit().paces(model)) == set(listed)
    assert Bitfit().merge(model) is model


def test_a_model_without_biases_is_refused_before_it_is_touched() -> None:
    model = writer("llama").requires_grad_(True)
    with pytest.raises(UserError, match=r"this model \(llama\) has none") as caught:
        Bitfit().apply(model, 0)
    assert "tuning=lora" in caught.value.hint
    assert all(weight.requires_grad for weight in model.parameters())
