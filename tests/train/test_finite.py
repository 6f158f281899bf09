"""The message about a number that is not finite names step, examples and tensor."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.finite import check_finite, check_weights, total_norm
from tests.train.small import net

NAMES = tuple(f"e{number}" for number in range(12))


def test_finite_numbers_pass() -> None:
    check_finite(net(), 0.5, 1.0, 2.0, 3, NAMES, "")
    check_weights(net(), "nothing")


def test_total_norm() -> None:
    assert total_norm([torch.tensor([3.0]), torch.tensor([[4.0]])]).item() == 5.0
    assert total_norm([]).item() == 0.0
    assert not total_norm([torch.ones(3), torch.tensor([float("inf")])]).isfinite()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_bad_weight_is_named_first(bad: float) -> None:
    model = net()
    model.encoder.blocks[1].feed_forward.up.weight.data[0, 0] = bad  # type: ignore[union-attr]
    with pytest.raises(UserError) as caught:
        check_finite(model, float("nan"), float("nan"), float("nan"), 7, NAMES, "The state after step 5 is saved.")
    said = caught.value.problem
    assert "step 7" in said
    assert "encoder.blocks.1.feed_forward.up.weight" in said
    assert "e0, e1, e2, e3, e4, e5, e6, e7 and 4 more" in said
    assert said.endswith("The state after step 5 is saved.")
    with pytest.raises(UserError, match=r"blocks\.1\.feed_forward\.up\.weight"):
        check_weights(model, "nothing was saved")


def test_a_bad_gradient_a_bad_loss_and_a_long_gradient() -> None:
    model = net()
    with pytest.raises(UserError, match="the loss is nan"):
        check_finite(model, float("nan"), 1.0, 1.0, 1, NAMES, "")
    with pytest.raises(UserError, match="too long for float32"):
        check_finite(model, 1.0, float("inf"), 1.0, 1, NAMES, "")
    model.head.out.bias.grad = torch.tensor([0.0, float("inf"), 0.0])
    with pytest.raises(UserError, match=r"gradient of head\.out\.bias"):
        check_finite(model, 1.0, float("inf"), 1.0, 1, NAMES, "")
