"""A full memory and a missing compiler are told in one message; any other error stays what it is."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.failures import spoken_failures


class BackendFailed(RuntimeError):
    """As torch's compiler raises it."""


BackendFailed.__module__ = "torch._inductor.exc"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand more"), "train.accumulation=4"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "train.recompute=true"),
        (MemoryError(), "train.accumulation"),
        (BackendFailed("InvalidCxxCompiler: no g++"), "train.compile=false"),
    ],
)
def test_what_can_be_mended_is_told(error: Exception, hint: str) -> None:
    with pytest.raises(UserError) as caught, spoken_failures():
        raise error
    assert hint in caught.value.hint
    assert "\n" not in caught.value.problem
    assert caught.value.__cause__ is error


def test_another_error_is_a_bug_and_stays_one() -> None:
    with pytest.raises(RuntimeError, match="shape"), spoken_failures():
        raise RuntimeError("mat1 and mat2 have another shape")
