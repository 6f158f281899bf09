"""Only the head learns."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.tuning.head import Head
from tests.nn.tiny_lm import writer
from tests.train.small import net


def test_only_the_head_learns() -> None:
    model = Head().apply(net(), 0)
    assert {name.split(".")[0] for name, weight in model.named_parameters() if weight.requires_grad} == {"head"}
    assert len(Head().paces(model)) == 4
    assert {pace.factor for pace in Head().paces(model).values()} == {1.0}
    assert Head().merge(model) is model


def test_what_predicts_words_learns_where_its_table_is_its_own() -> None:
    model = Head().apply(writer("llama"), 0)
    assert [name for name, weight in model.named_parameters() if weight.requires_grad] == ["head.weight"]


def test_a_tied_head_is_refused_before_anything_is_touched() -> None:
    model = writer("gpt2").requires_grad_(True)
    with pytest.raises(UserError, match="a head alone would change both"):
        Head().apply(model, 0)
    assert all(weight.requires_grad for weight in model.parameters())
