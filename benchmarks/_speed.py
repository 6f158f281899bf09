"""Each program's turn in the speed part of benchmarks/pretraining.py: the same Llama, rows, precision and batch."""

import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["BATCH", "COMPILED", "LENGTH", "LITGPT", "OURS", "TRAINER", "has_litgpt", "shape", "turn"]

OURS, COMPILED, TRAINER, LITGPT = "dragoman", "dragoman, compiled", "Trainer", "litgpt"
BATCH, LENGTH, WARM_UP = 8, 256, 3
"the first steps pay for threads, kernels, memory and compilers, and are not counted"
RATE = 3e-4
SAVES = 3


def shape() -> Any:
    """A Llama of 15 million weights: 6 layers, 384 wide, 12,000 words, one table for reading and predicting them."""
    from dragoman.nn.arch import Arch, Rope

    return Arch(
        family="llama", kind="decoder", vocabulary=12_000, width=384, layers=6, heads=6, feed_forward=1024,
        positions=LENGTH, attention_bias=False, output_bias=False, feed_forward_bias=False, norm="rms",
        norm_place="before", norm_eps=1e-5, final_norm=True, position="rotary", rope=Rope(10_000.0), token_types=0,
        embedding_norm=False, activation="silu", gated=True, tied=True, dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip


def turn(label: str, precision: str, steps: int) -> dict[str, Any]:
    """A program's tokens a second in `fp32` or `bf16`, and the mean loss of its steps."""
    if label in (OURS, COMPILED):
        return _ours(precision, steps, label == COMPILED)
    return _trainer(precision, steps) if label == TRAINER else _litgpt(precision, steps)


def has_litgpt() -> bool:
    """Whether litgpt is here. It asks for an older huggingface_hub than ours, so it is never installed by itself:
    pip install --no-deps litgpt lightning lightning-utilities pytorch-lightning torchmetrics jsonargparse
    """
    import importlib.util

    return all(importlib.util.find_spec(name) for name in ("litgpt", "lightning", "jsonargparse"))


def _tokens(steps: int) -> Any:
    """Random words, [rows, LENGTH + 1]: how fast something learns does not depend on what."""
    import torch

    dice = torch.Generator().manual_seed(0)
    return torch.randint(shape().vocabulary, ((WARM_UP + steps + 2) * BATCH, LENGTH + 1), generator=dice)


def _told(times: list[float], losses: list[float]) -> dict[str, Any]:
    """The figures of a run from the moments at which its steps were done."""
    counted = times[WARM_UP - 1 :]
    each = [late - early for early, late in pairwise(counted)]
    return {"tokens_per_second": BATCH * LENGTH / statistics.median(each), "loss": statistics.mean(losses)}


def _ours(precision: str, steps: int, compiled: bool) -> dict[str, Any]:
    from benchmarks._recipe import Letters
    from dragoman.core.shards import Documents
    from dragoman.nn.operations import flops
    from dragoman.nn.store import fresh_lm
    from dragoman.train.checkpoint import save
    from dragoman.train.doors import OBJECTIVES, TUNINGS, How
    from dragoman.train.loop import begin, fit
    from dragoman.train.machine import measure_machine
    from dragoman.train.packing import Texts

    arch = shape()
    ids = _tokens(steps).flatten().tolist()
    data = Texts((Documents.of("random", [ids], [len(ids)]),))
    how = How(
        steps=WARM_UP + steps, rate=RATE, batch=BATCH, max_length=LENGTH, average=0.0, beta2=0.95, device="cpu",
        precision=precision, compile=compiled,  # type: ignore[arg-type]
    )  # fmt: skip
    training = begin(
        fresh_lm(arch), Letters(arch.vocabulary), OBJECTIVES.make("clm", {}), TUNINGS.make("scratch", {}), data, how
    )
    times, losses = list[float](), list[float]()
    for step in fit(training):
        times.append(time.perf_counter())
        losses.append(step.loss)
    saving = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(SAVES):
            begun = time.perf_counter()
            save(Path(folder), training, {})
            saving.append(time.perf_counter() - begun)
    found = _told(times, losses)
    wait = max(how.save_seconds, 19 * statistics.median(saving))
    machine = measure_machine("cpu", 2.5, arch.width, LENGTH)
    work = flops(arch, BATCH, LENGTH)
    found["peak"] = found["tokens_per_second"] * work.total / (BATCH * LENGTH) / machine.peak(precision)
    return found | {"saving": statistics.median(saving), "share": statistics.median(saving) / wait}


def _trainer(precision: str, steps: int) -> dict[str, Any]:
    import torch
    import transformers

    from dragoman.nn.families.llama import Llama

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**Llama().write(shape())))
    rows = _tokens(steps)[:, :LENGTH]
    data = [{"input_ids": row, "labels": row} for row in rows]
    times: list[float] = []

    class Watch(transformers.TrainerCallback):  # type: ignore[misc]
        """Notes when each step is done."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as output:
        arguments = transformers.TrainingArguments(
            output_dir=output,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            max_steps=WARM_UP + steps,
            bf16=precision == "bf16",
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        said = transformers.Trainer(model, arguments, train_dataset=data, callbacks=[Watch()]).train()
    return _told(times, [float(said.training_loss)])


def _litgpt(precision: str, steps: int) -> dict[str, Any]:
    """litgpt's own loop over its own model, compiled and in bf16-true as its pretraining does by itself."""
    import contextlib
    import io

    import lightning
    import torch
    from litgpt.args import EvalArgs, TrainArgs
    from litgpt.model import GPT, Config
    from litgpt.pretrain import fit

    arch = shape()
    config = Config(
        name="fifteen", block_size=LENGTH, padded_vocab_size=arch.vocabulary, vocab_size=arch.vocabulary,
        n_layer=arch.layers, n_head=arch.heads, n_embd=arch.width, intermediate_size=arch.feed_forward,
        rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm", norm_eps=arch.norm_eps,
        mlp_class_name="LLaMAMLP",
    )  # fmt: skip
    times: list[float] = []

    class Rows(torch.utils.data.IterableDataset):  # type: ignore[type-arg, misc]
        """Batches as they are, and when each was asked for: the step before it is done then."""

        def __iter__(self) -> Iterator[Any]:
            for batch in _tokens(steps).split(BATCH):
                times.append(time.perf_counter())
                yield batch

    fabric = lightning.Fabric(accelerator="cpu", devices=1, precision="bf16-true" if precision == "bf16" else "32-true")
    fabric.seed_everything(0, verbose=False)
    with fabric.init_module(empty_init=False):
        model = GPT(config)
    model.transformer.wte.weight = model.lm_head.weight
    model.max_seq_length = LENGTH
    model = fabric.setup(torch.compile(model))
    optimizer = fabric.setup_optimizers(torch.optim.AdamW(model.parameters(), lr=RATE, fused=True))
    loader = fabric.setup_dataloaders(torch.utils.data.DataLoader(Rows(), batch_size=None))
    state = {"model": model, "optimizer": optimizer, "iter_num": 0, "step_count": 0}
    train = TrainArgs(
        save_interval=None, log_interval=1, global_batch_size=BATCH, micro_batch_size=BATCH, max_norm=1.0,
        max_tokens=(WARM_UP + steps) * BATCH * LENGTH, lr_warmup_steps=1, min_lr=RATE / 10, max_seq_length=LENGTH,
    )  # fmt: skip
    seen = EvalArgs(interval=10**9, max_iters=1, initial_validation=False, final_validation=False)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        fit(fabric, 1, state, loader, loader, Path(tempfile.gettempdir()), None, train, seen)
    losses = [float(found) for found in re.findall(r"loss train: ([0-9.]+)", said.getvalue())]
    return _told(times[-(WARM_UP + steps + 1) :][1:], losses)
