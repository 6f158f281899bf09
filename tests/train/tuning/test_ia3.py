"""IA3 multiplies keys, values and inner states, or whatever it is told, and nothing twice."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.anatomy import describe_learning
from dragoman.train.rescaled import rescaled_modules
from dragoman.train.tuning.ia3 import Ia3
from tests.nn.tiny_lm import writer
from tests.train.small import net


def test_keys_values_and_inner_states_have_gains() -> None:
    found = rescaled_modules(Ia3().apply(net(), 0))
    assert len(found) == 3 * 3
    assert {name.rpartition(".")[2] for name, each in found.items() if each.entering} == {"down"}
    t5 = rescaled_modules(Ia3().apply(writer("t5"), 0))
    assert "decoder.blocks.0.cross.key" in t5
    assert len(t5) == 2 * 3 + 2 * 5


def test_what_learns_is_listed() -> None:
    listed = describe_learning(Ia3(outputs=("query",), inputs=()).apply(writer("llama"), 0))
    assert listed == [(f"blocks.{number}.attention.query.gain", (32,)) for number in range(2)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"outputs": (), "inputs": ()}, "nothing to multiply"), ({"inputs": ("key",)}, "both sides of key")],
)
def test_wrong_settings(wrong: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Ia3(**wrong)


def test_a_name_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="ia3 finds no matrix named 'keys'"):
        Ia3(outputs=("keys",)).apply(net(), 0)
