"""Dropout only where something learns: a frozen module answers the same every time."""

from torch import nn

__all__ = ["set_modes"]


def set_modes(net: nn.Module, still: bool = False) -> None:
    """Put each module into training mode when a weight inside it learns, and into evaluation mode when none does.

    A module without weights, such as dropout, goes with the module it stands in. `still` drops nothing anywhere: what
    is compared with an earlier self must not differ from it by luck.
    """
    if still:
        net.eval()
    else:
        _set(net, False)


def _set(module: nn.Module, above: bool) -> None:
    weights = list(module.parameters())
    module.training = any(weight.requires_grad for weight in weights) if weights else above
    for child in module.children():
        _set(child, module.training)
