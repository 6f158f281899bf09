"""nanoGPT's published recipe for Shakespeare's characters on a CPU, restated in plain PyTorch, or run from a checkout.

It takes part in benchmarks/pretraining.py. Recipe: README.md and config/train_shakespeare_char.py of karpathy/nanoGPT,
which says "loss of only 1.88" (the mean of 20 random batches of the validation part).
"""

import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks._race import LENGTH, Clock, parts, whole_loss

__all__ = ["ESTIMATE", "WHOLE", "Model", "rate_at", "run_checkout", "train"]

LAYERS, HEADS, WIDTH, BATCH = 4, 4, 128, 12
STEPS, WARM_UP, RATE, LEAST, DECAY, CLIP = 2000, 100, 1e-3, 1e-4, 0.1, 1.0
EVERY, BATCHES = 250, 20
"after how many steps the loss of both parts is estimated, and from how many batches"
ESTIMATE, WHOLE = 1.95, 1.93
"what a restatement must reach: published is 1.88; estimates from 15,360 characters spread by 0.03, seeds by 0.01"
FLAGS = "--device=cpu --compile=True --eval_iters=20 --log_interval=1 --block_size=64 --batch_size=12 --n_layer=4"
MORE = "--n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0"
"as the README gives them, but for the compiler, which it leaves out on a CPU and which makes it faster"


class Layer(nn.Module):
    """Attention and feed-forward, each behind a layer norm without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.asked = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.mixed = nn.Linear(WIDTH, WIDTH, bias=False)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """[b, s, w] to [b, s, w]."""
        rows, length, _ = states.shape
        joint = self.asked(self.first(states)).view(rows, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        states = states + self.mixed(heard.transpose(1, 2).reshape(rows, length, WIDTH))
        thought: Tensor = self.narrow(functional.gelu(self.wide(self.second(states))))
        return states + thought


class Model(nn.Module):
    """GPT-2 with four layers, without biases and without dropout; the words' table is also the head."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim > 1:  # what is added to the stream starts smaller the more often something is (GPT-2)
                deep = name.endswith(("mixed.weight", "narrow.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if deep else 0.02)

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of the labels, [b, s] as the ids."""
        states = self.words(ids) + self.places.weight[: ids.shape[1]]
        for layer in self.layers:
            states = layer(states)
        logits = functional.linear(self.norm(states), self.words.weight)
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def rate_at(step: int) -> float:
    """The rate of a step: it rises in a line, then falls along half a wave to a tenth."""
    if step < WARM_UP:
        return RATE * (step + 1) / (WARM_UP + 1)
    share = (step - WARM_UP) / (STEPS - WARM_UP)
    return LEAST + 0.5 * (1.0 + math.cos(math.pi * share)) * (RATE - LEAST)


def train(clock: Clock, compiled: bool = True, steps: int = STEPS, seed: int = 1337) -> dict[str, Any]:
    """The recipe with its evaluations: its last estimate, and the loss on the whole validation part."""
    torch.manual_seed(seed)
    vocabulary, learnt, held = parts()
    model = Model(vocabulary)
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))
    run = torch.compile(model) if compiled else model
    batch = drawn(learnt)
    estimate = math.nan
    for step in range(steps + 1):
        if step % EVERY == 0:
            with clock.measuring():
                estimate = [estimated(model, run, part) for part in (learnt, held)][1]
        for table in optimiser.param_groups:
            table["lr"] = rate_at(step)
        loss = run(*batch)
        batch = drawn(learnt)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        float(loss.detach())  # it writes a line a step, which waits for the number
        clock.stepped()
    clock.stop()
    return {"estimate": estimate, "loss": whole_loss(lambda ids, labels: model(ids, labels), held), "steps": steps}


def drawn(part: Tensor) -> tuple[Tensor, Tensor]:
    """A batch of windows from anywhere, and what follows each character."""
    starts = torch.randint(len(part) - LENGTH, (BATCH,)).tolist()
    ids = torch.stack([part[start : start + LENGTH] for start in starts])
    return ids, torch.stack([part[start + 1 : start + 1 + LENGTH] for start in starts])


@torch.no_grad()
def estimated(model: Model, run: Callable[..., Tensor], part: Tensor) -> float:
    """The mean loss of some batches drawn from a part."""
    model.eval()
    losses = [float(run(*drawn(part))) for _ in range(BATCHES)]
    model.train()
    return sum(losses) / len(losses)


def run_checkout(folder: Path, text: Path, threads: int) -> dict[str, Any]:
    """nanoGPT itself from a checkout of its repository: its own programs, run as its README says.

    Its clock starts where its first step's line appears. It keeps no loss of the whole validation part. Raises
    RuntimeError with what it said where it fails.
    """
    data = folder / "data" / "shakespeare_char"
    shutil.copyfile(text, data / "input.txt")  # else it would be fetched
    commands = [[sys.executable, str(data / "prepare.py")], [sys.executable, "train.py"]]
    commands[1] += ["config/train_shakespeare_char.py", *FLAGS.split(), *MORE.split()]
    subprocess.run(commands[0], cwd=folder, check=True, capture_output=True)
    started, first, said = time.perf_counter(), 0.0, list[str]()
    with subprocess.Popen(
        commands[1],
        cwd=folder,
        text=True,
        bufsize=1,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": str(threads)},
    ) as running:
        for line in running.stdout or ():
            said.append(line)
            first = first or (time.perf_counter() if line.startswith("iter 0:") else 0.0)
    done = time.perf_counter()
    losses = [float(found) for found in re.findall(r"val loss ([0-9.]+)", "".join(said))]
    if running.returncode or not losses or not first:
        raise RuntimeError(f"nanoGPT in {folder} ended with {running.returncode}:\n{''.join(said[-20:])}")
    return {"estimate": losses[-1], "steps": STEPS, "from_step": done - first, "from_start": done - started}
