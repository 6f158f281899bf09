"""What torch fails on for want of memory or a compiler, told as the mistake it is, with the setting that mends it."""

import contextlib
from collections.abc import Iterator

import torch

from dragoman.core.errors import UserError

__all__ = ["spoken_failures"]

_FULL = ("can't allocate memory", "not enough memory", "out of memory")


@contextlib.contextmanager
def spoken_failures() -> Iterator[None]:
    """Raise UserError in place of torch's own errors at a memory that is full and a net that cannot be compiled."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _full(str(error)) from error
    except RuntimeError as error:
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            said = f"the net cannot be compiled here: {_line(str(error))}"
            raise UserError(said, "leave it out: train.compile=false; or install a C++ compiler") from error
        if any(one in str(error).lower() for one in _FULL):
            raise _full(str(error)) from error
        raise


def _full(said: str) -> UserError:
    return UserError(
        f"the memory is full: {_line(said)}",
        "cut a step into more parts, train.accumulation=4, or compute more of it twice, train.recompute=true",
    )


def _line(said: str) -> str:
    """The first line of what a library said, which says enough."""
    return next((line.strip() for line in said.splitlines() if line.strip()), "no more is known")[:200]
