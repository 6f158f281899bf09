"""The device that is asked for is the one that is used, or the mistake is told."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models import device
from dragoman.models.device import auto_precision, choose_device, has_bf16


def test_auto_finds_one() -> None:
    assert choose_device().type in {"cuda", "mps", "cpu"}
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "cpu:3", "cuda:x", ""])
def test_a_device_that_is_not_here(name: str) -> None:
    with pytest.raises(UserError, match="no device") as caught:
        choose_device(name)
    assert "cpu" in caught.value.hint


def test_bf16_is_a_fact_of_the_hardware() -> None:
    assert isinstance(has_bf16(torch.device("cpu")), bool)
    assert not has_bf16(torch.device("mps"))


def test_auto_is_bf16_on_a_gpu_that_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for able in (True, False):
        monkeypatch.setattr(device, "has_bf16", lambda place, able=able: able)
        assert auto_precision(torch.device("cuda")) == ("bf16" if able else "fp32")
        assert auto_precision(torch.device("cpu")) == "fp32"
