"""Nets without numbers: built in no time and no memory, for weights that come from a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["hollow"]


class _Undrawn(TorchFunctionMode):
    """Passes over the drawing of first weights.

    On the meta device torch would do it through its compiler's Python kernels, whose import takes a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else named["tensor"]
        return func(*args, **named)


@contextmanager
def hollow() -> Iterator[None]:
    """What is built inside has shapes alone."""
    with torch.device("meta"), _Undrawn():
        yield
