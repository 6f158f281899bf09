"""A number that is not finite stops the run before the optimiser can spread it, and the message says where it began."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError

__all__ = ["check_finite", "check_weights", "is_finite", "total_norm"]

SHOWN = 8


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """The length of all tensors together, a scalar in float32; not finite where any number of any of them is not.

    Of tensors shared out among processes (FSDP2) it is the length of the whole ones.
    """
    listed = list(tensors)
    found = nn.utils.get_total_norm(listed) if listed else torch.zeros(())
    whole: Tensor = found.full_tensor() if hasattr(found, "full_tensor") else found
    return whole


def is_finite(tensor: Tensor) -> bool:
    """Whether every number is finite, those that other processes hold included: `all` would ask for one's own only."""
    wrong = (~tensor.isfinite()).sum()
    return not int(wrong.full_tensor() if hasattr(wrong, "full_tensor") else wrong)


def check_finite(
    net: nn.Module, loss: float, gradient: float, weights: float, step: int, examples: Sequence[str], kept: str
) -> None:
    """Raise UserError unless the loss, the length of the gradient and the length of the weights are finite.

    It names the step, the examples of its batch and the first bad tensor; `kept` says what the last saved state is.
    """
    finite = [abs(number) < float("inf") for number in (weights, loss, gradient)]  # NaN compares false
    if all(finite):
        return
    named = list(net.named_parameters())
    bad_weights = [name for name, weight in named if not is_finite(weight)]
    bad_gradients = [name for name, weight in named if weight.grad is not None and not is_finite(weight.grad)]
    if bad_weights:
        what = f"the weight {bad_weights[0]} is not finite"
    elif not finite[1]:
        what = f"the loss is {loss}" + (f", first bad gradient: {bad_gradients[0]}" if bad_gradients else "")
    elif bad_gradients:
        what = f"the gradient of {bad_gradients[0]} is not finite (the loss is {loss:.4g})"
    else:
        what = f"the gradient is too long for float32 (the loss is {loss:.4g})"
    shown = ", ".join(examples[:SHOWN]) + (f" and {len(examples) - SHOWN} more" if len(examples) > SHOWN else "")
    raise UserError(
        f"training stopped at step {step}: {what}; the batch held {shown}. {kept}".rstrip(),
        "try a lower rate (train.rate=2e-5) or train.precision=fp32, and look at these examples",
    )


def check_weights(net: nn.Module, where: str) -> None:
    """Raise UserError that names the first weight that is not finite; `where` says what was about to be done."""
    for name, weight in net.named_parameters():
        if not is_finite(weight):
            raise UserError(
                f"{where}: the weight {name} is not finite",
                "choose another model in models.candidates",
            )
