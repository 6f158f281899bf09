"""A hollow net has shapes and no numbers, and building it does not wait for torch's compiler."""

import subprocess
import sys

import torch
from torch import nn

from dragoman.nn.hollow import hollow


def test_shapes_alone() -> None:
    with hollow():
        net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3), nn.LayerNorm(3))
        here = torch.zeros(2, device="cpu")
    assert all(one.is_meta for one in net.parameters())
    assert net[1].weight.shape == (3, 4)
    assert here.device.type == "cpu"


def test_outside_numbers_are_drawn_again() -> None:
    with hollow():
        pass
    assert nn.Linear(4, 3).weight.std() > 0


def test_the_compiler_is_not_imported() -> None:
    said = (
        "import sys; from torch import nn; from dragoman.nn.hollow import hollow\n"
        "with hollow(): nn.Embedding(9, 4); nn.Linear(4, 4)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
