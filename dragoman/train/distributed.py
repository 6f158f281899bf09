"""Several processes as torchrun starts them: how they find each other, and one net shared out among them with FSDP2.

Each process holds the same share of every matrix's rows, and of its gradient and the optimiser's state. The blocks are
whole only while they compute, the rest of the net from a step's first use of it to the end of its gradients, since a
loss reads the table of words behind the last block. Zhao et al. 2023, 2304.11277; Rajbhandari et al. 2020 (stage 3).
"""

import copy
import os
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import distributed as group
from torch import nn

from dragoman.core.errors import UserError
from dragoman.train.world import World, alone

__all__ = ["TIMEOUT", "hollow_copy", "join", "leave", "shard", "shed", "whole"]

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
TIMEOUT = timedelta(hours=12)
"how long a process waits for the others, which may be preparing texts or writing, before it gives up"
START = "start all of them with: torchrun --nproc-per-node 2 -m dragoman.cli pretrain SOURCE"


def join(device: str = "auto") -> World:
    """The world that torchrun's variables describe, this process a member of it; without them the world of one.

    Every GPU is one process, which talk through NCCL; without a GPU, or with `device` cpu, they talk through gloo.
    Raises UserError where some of the variables are missing or no numbers, this machine has too few GPUs, or the
    processes do not find each other.
    """
    given = [name for name in NAMES if os.environ.get(name)]
    if not given:
        return alone()
    if missing := [name for name in NAMES if name not in given]:
        raise UserError(f"{given[0]} is set as torchrun does, but {missing[0]} is not", f"{START}; or unset {given[0]}")
    rank, size, local = (_number(name) for name in NAMES[:3])
    if not 0 <= rank < size:
        raise UserError(f"RANK is {rank} of WORLD_SIZE {size}", START)
    place = _place(device, local)
    if size > 1:
        try:
            group.init_process_group(_backend(place), timeout=TIMEOUT)
        except (RuntimeError, ValueError) as error:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            said = str(error).splitlines()[0]
            raise UserError(f"process {rank} of {size} finds no others at {where}: {said}", START) from None
    return World(rank, size, place)


def leave(failed: bool = False) -> None:
    """End the membership, if there is one. One that `failed` does not wait for GPUs that wait for it."""
    if group.is_available() and group.is_initialized() and not (failed and "nccl" in group.get_backend()):
        group.destroy_process_group()


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError:
        raise UserError(f"{name} is '{os.environ[name]}', which is no number", START) from None


def _place(device: str, local: int) -> str:
    """The device of this process."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if device == "mps" or not torch.cuda.is_available():
        raise UserError(f"several processes cannot train on {device} here", "say train.device=cpu")
    count = torch.cuda.device_count()
    if local >= count:
        raise UserError(
            f"process {local} of this machine has no GPU: there are {count}", f"say torchrun --nproc-per-node {count}"
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


def _backend(place: str) -> str:
    """gloo for what is on the CPU (names, counts, JSON), NCCL for what is on GPUs."""
    return "gloo" if place == "cpu" else "cpu:gloo,cuda:nccl"


def hollow_copy(net: nn.Module) -> nn.Module:
    """A copy of a net whose weights are shapes alone, tied where they are tied; buffers are copied as they are."""
    known: dict[int, Any] = {}
    for weight in net.parameters():
        shape = torch.empty_like(weight, device="meta")
        known[id(weight)] = nn.Parameter(shape, requires_grad=weight.requires_grad)
    return copy.deepcopy(net, known)


def shard(net: nn.Module, device: str, precision: Literal["fp32", "bf16"]) -> nn.Module:
    """Divide the weights of a language model among all processes, in place: each block by itself, then the rest.

    Gradients are summed, not averaged: the loss is divided by the weight of the whole step already. In bf16 copies of
    the weights multiply, and gradients are summed and kept in fp32. Raises UserError where it is no language model.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    if not hasattr(net, "states"):
        raise UserError("several processes train language models alone", "start this one without torchrun")
    light = torch.bfloat16 if precision == "bf16" else None
    policy = MixedPrecisionPolicy(param_dtype=light, reduce_dtype=torch.float32)
    mesh = init_device_mesh(torch.device(device).type, (group.get_world_size(),))
    for part in list(net.modules()):
        for block in getattr(part, "blocks", ()):
            fully_shard(block, mesh=mesh, mp_policy=policy)
    # Kept whole after the forward pass: the loss reads norms and words behind it, outside of any module's call.
    fully_shard(net, mesh=mesh, mp_policy=policy, reshard_after_forward=False)
    register_fsdp_forward_method(net, "states")
    for part in net.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)  # gloo has no other sum
    return net


def shed(net: nn.Module) -> None:
    """See `World.shed`. After gradients nothing is left behind; after a pass without them the root is whole still, and
    the next pass would read what it was."""
    from torch.distributed.fsdp import FSDPModule

    for part in net.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def whole(net: nn.Module, hollow: nn.Module, first: bool) -> nn.Module:
    """See `World.whole`. One matrix at a time is whole in every process; the first keeps it."""
    from torch.distributed.tensor import DTensor

    shed(net)
    found = {}
    for name, weight in net.named_parameters():
        value = weight.detach()
        value = value.full_tensor() if isinstance(value, DTensor) else value
        if first:
            found[name] = value.cpu()
    if not first:
        return hollow
    new = {
        id(old): nn.Parameter(found[name], requires_grad=old.requires_grad) for name, old in hollow.named_parameters()
    }
    for module in hollow.modules():
        for name, old in module.named_parameters(recurse=False):
            setattr(module, name, new[id(old)])  # a tied one in both places
    return hollow
