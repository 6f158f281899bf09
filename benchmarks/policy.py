"""Learning from rewards beside TRL: answers drawn, scored and learnt from a second, at equal model, batch and lengths.

python -m benchmarks.policy [--rounds 3] [--width 512] [--steps 4] [--trl FOLDER] [--dry]

TRL takes part with RLOO: its PPO was taken out in 2026. It is installed, or `--trl` names the folder it is in.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._sft import prepare
from benchmarks.side_by_side import ROOT, Measured, machine, measure, replace_section, spread, table

HEADING = "Learning from rewards"
DATA = ROOT.parent / "shared" / "data" / "instruction" / "alpaca_en.jsonl"
PROMPTS, SAMPLES, WRITTEN, WARM_UP = 16, 4, 32, 1
"of a round: prompts, answers to each, tokens of each; and how many rounds are not counted"
OURS, AIM = "dragoman, RLOO", 3.0
FIGURES = {
    "answers_per_second": "answers/s (min / median / max)",
    "answers_per_busy": "answers a second of the processor",
}


class Letters:
    """The reward: how often the answer says e."""

    def rate(self, prompts: Any, answers: Any) -> Any:
        """A number for each answer."""
        import numpy as np

        return np.array([float(text.count("e")) for text in answers])


class Clock:
    """Seconds by the wall and of the processor from the moment that the first rounds are over."""

    def __init__(self) -> None:
        self.rounds, self.begun, self.busy = 0, 0.0, 0.0

    def tick(self) -> None:
        """A round is over."""
        self.rounds += 1
        if self.rounds == WARM_UP:
            self.begun, self.busy = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        """Answers a second."""
        count = (self.rounds - WARM_UP) * PROMPTS * SAMPLES
        wall, busy = time.perf_counter() - self.begun, time.process_time() - self.busy
        return {"answers_per_second": count / wall, "answers_per_busy": count / busy}


def ours(folder: Path, asked: list[str], steps: int, name: str) -> dict[str, float]:
    """Our loop in bf16 where the machine is quick in it, as a user has it."""
    from dragoman.core.types import Example, Message
    from dragoman.nn.store import load_lm
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.doors import OBJECTIVES, How
    from dragoman.train.loop import begin, fit
    from dragoman.train.policy import Practice
    from dragoman.train.tuning.full import Full

    rows = [Example((Message("user", text),), ()) for text in asked]
    size = PROMPTS * SAMPLES
    given = {"episodes": size, "max_tokens": WRITTEN, "must_stop": False}
    given |= {"samples": SAMPLES} if name == "rloo" else {}
    how = How(
        batch=size, steps=steps * (4 if name == "ppo" else 1), rate=1e-5, max_length=512, device="cpu", average=0.0
    )
    training = begin(
        load_lm(folder), Tokenizer(folder), OBJECTIVES.make(name, given), Full(), Practice(rows, Letters()), how
    )
    clock = Clock()
    for step in fit(training):
        if name == "rloo" or step.number % 4 == 0:
            clock.tick()
    return clock.told()


def trl_rloo(folder: Path, asked: list[str], steps: int) -> dict[str, float]:
    """TRL's RLOOTrainer: one update a round, as ours; no recomputation, which would only slow it."""
    import datasets
    import transformers
    import trl

    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    clock = Clock()

    class Ticking(transformers.TrainerCallback):  # type: ignore[misc]
        """Says that a round is over."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            """A step is a round."""
            clock.tick()

    def reward(completions: list[Any], **_: Any) -> list[float]:
        texts = [one[0]["content"] if isinstance(one, list) else one for one in completions]
        return [float(text.count("e")) for text in texts]

    with tempfile.TemporaryDirectory() as output:
        arguments = trl.RLOOConfig(
            output_dir=output, per_device_train_batch_size=PROMPTS * SAMPLES, num_generations=SAMPLES,
            max_completion_length=WRITTEN, beta=0.05, temperature=1.0, learning_rate=1e-5, max_steps=steps,
            gradient_checkpointing=False, report_to=[], save_strategy="no", logging_strategy="no", use_cpu=True,
            disable_tqdm=True, model_init_kwargs={"dtype": "float32"},
        )  # fmt: skip
        rows = datasets.Dataset.from_list([{"prompt": [{"role": "user", "content": text}]} for text in asked])
        trainer = trl.RLOOTrainer(str(folder), reward_funcs=reward, args=arguments, train_dataset=rows)
        trainer.add_callback(Ticking())
        trainer.model.generation_config.eos_token_id = None
        trainer.train()
    return clock.told()


def told(found: Measured, given: argparse.Namespace, weights: int) -> str:
    """The section of docs/performance.md."""
    lines = [
        f"A Llama of {weights / 1e6:.1f} M fresh weights; a round is {PROMPTS} prompts of Alpaca with {SAMPLES} answers"
        f" of up to {WRITTEN} tokens each, scored by how often they say e, and one step of the optimiser (PPO: four)."
        f" Answers a second count drawing, scoring, the reference and learning; {WARM_UP} round is not counted,"
        f" {given.steps - WARM_UP} are; in turns, {given.rounds} rounds, each in a fresh process.",
        table(found, FIGURES),
    ]
    if "TRL, RLOO" in found:
        for key, name in (("answers_per_second", "the wall"), ("answers_per_busy", "the processor")):
            ratios = [one[key] / other[key] for one, other in zip(found[OURS], found["TRL, RLOO"], strict=True)]
            met = "met" if statistics.median(ratios) >= AIM else "missed"
            lines.append(f"{OURS} over TRL's by {name}: {spread(ratios, 2)} (min / median / max); aim {AIM:g}: {met}.")
    packages = ["torch", "transformers", *(["trl"] if "TRL, RLOO" in found else [])]
    return "\n\n".join([*lines, machine(packages, 1), "Again: `OMP_NUM_THREADS=1 python -m benchmarks.policy`"])


def main() -> None:
    """Measure, print the section, and write it into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--steps", type=int, default=4, help="rounds of learning in each process")
    words.add_argument("--width", type=int, default=512)
    words.add_argument("--data", type=Path, default=DATA, help="Alpaca's columns, JSON Lines")
    words.add_argument("--trl", default="", help="a folder with trl, put in front of the others")
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.trl:
        sys.path.insert(0, given.trl)
    if given.work:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch

        torch.set_num_threads(1)
        asked = json.loads((given.folder / "asked.json").read_text())
        work = {OURS: "rloo", "dragoman, PPO": "ppo"}.get(given.work)
        print(
            json.dumps(
                ours(given.folder, asked, given.steps, work) if work else trl_rloo(given.folder, asked, given.steps)
            )
        )
        return
    if not given.data.is_file():
        print(f"policy: there is no {given.data}: --data names a file with Alpaca's columns", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = prepare(folder, given.data, 64, given.width)
        read = [json.loads(line) for line in given.data.read_text(encoding="utf-8").splitlines()[:256]]
        asked = [row["instruction"][:200] for row in read]
        (folder / "asked.json").write_text(json.dumps(asked))
        same = ["--folder", name, "--steps", str(given.steps), *(["--trl", given.trl] if given.trl else [])]
        labels = [OURS, "dragoman, PPO", *(["TRL, RLOO"] if find_spec("trl") else [])]
        commands = {
            one: [sys.executable, "-W", "ignore", "-m", "benchmarks.policy", "--work", one, *same] for one in labels
        }
        found = measure("policy", commands, given.rounds)
    body = told(found, given, sizes["weights"])
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
