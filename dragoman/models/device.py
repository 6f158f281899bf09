"""Where a model runs, and in which numbers: bf16 only where the hardware itself computes in it."""

from typing import Literal

import torch

from dragoman.core.errors import UserError

__all__ = ["Precision", "auto_precision", "choose_device", "has_bf16"]

Precision = Literal["auto", "fp32", "bf16"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is cuda, else mps, else cpu. Raises UserError where this machine has none."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in found.items() if there))
    kind, _, index = name.partition(":")
    many = torch.cuda.device_count() if kind == "cuda" else 1
    if not found.get(kind, False) or (index and not (index.isdecimal() and int(index) < many)):
        known = ", ".join(kind for kind, there in found.items() if there)
        raise UserError(f"this machine has no device '{name}'", f"known here: auto, {known}")
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies in bf16 itself. A CPU that only imitates it is slower than in fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        can = torch.cpu.get_capabilities()
        return bool(can.get("avx512_bf16") or can.get("amx_bf16") or can.get("bf16"))
    return False


def auto_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """What a model that writes runs in where nothing was said: bf16 on a GPU that computes in it, else fp32."""
    return "bf16" if device.type != "cpu" and has_bf16(device) else "fp32"
