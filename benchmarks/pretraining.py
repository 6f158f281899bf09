"""Pretraining: time to a loss against nanoGPT's recipe, tokens a second against transformers' Trainer and litgpt.

python -m benchmarks.pretraining [--rounds 3] [--only loss|speed] [--nanogpt FOLDER] [--threads 1] [--dry]

litgpt takes part where it is installed, nanoGPT itself where a checkout is given; else its recipe restated in
benchmarks/_nanogpt.py does.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import ROOT, Measured, machine, measure, ratios, replace_section, spread, table

RECIPE, SAME, PEER = "dragoman", "dragoman, nanoGPT's settings", "nanoGPT"
LOSS_HEADING, SPEED_HEADING = "Pretraining to a loss", "Pretraining: tokens a second"
REACHED, SETTINGS = 1.88, 1.93
"the loss that ends the race, and the most that nanoGPT's own settings may end at; both of the whole validation part"
FROM_STEP, FROM_START = 8.0, 3.0
FASTER = {"Trainer": 2.0, "litgpt": 1.5}
SEEDS = 3


def work(given: argparse.Namespace) -> dict[str, Any]:
    """One program's turn. In the race nobody finds what a compiler left behind: compiling is a part of it."""
    label, _, precision = given.work.partition(" in ")
    if not precision:
        os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # read when torch is imported
    import torch

    torch.set_num_threads(given.threads)
    if precision:
        from benchmarks._speed import turn

        return turn(label, precision, given.steps)
    from benchmarks._race import TEXT, Clock

    if label == PEER and given.nanogpt:
        from benchmarks._nanogpt import run_checkout

        return run_checkout(Path(given.nanogpt), TEXT, given.threads)
    clock = Clock()
    if label == PEER:
        from benchmarks._nanogpt import train

        found = train(clock)
    else:
        from benchmarks._recipe import race, recipe, same_settings

        found = race(clock, *(same_settings() if label == SAME else recipe()), seed=given.seed)
    return found | clock.told()


def loss_part(given: argparse.Namespace) -> str:
    """The race to a loss, as its section tells it. Raises RuntimeError where the peer misses its published loss."""
    same = ["--threads", str(given.threads), *(["--nanogpt", given.nanogpt] if given.nanogpt else [])]
    commands = {label: _command(label, *same) for label in (RECIPE, PEER)}
    found = measure("pretraining", commands, given.rounds)
    seeds = {f"seed {seed}": _command(RECIPE, *same, "--seed", str(seed)) for seed in range(1, SEEDS)}
    others = measure("pretraining", seeds, 1)
    ours = measure("pretraining", {SAME: _command(SAME, *same)}, 1)
    check_peer(found[PEER])
    return told_loss(found, [runs[0]["loss"] for runs in others.values()], ours[SAME][0]["loss"], given.threads)


def check_peer(runs: list[dict[str, Any]]) -> None:
    """Raise RuntimeError where nanoGPT's recipe does not end where it is published to: then it is no peer."""
    from benchmarks._nanogpt import ESTIMATE, WHOLE

    for run in runs:
        if run["estimate"] > ESTIMATE or run.get("loss", 0.0) > WHOLE:
            raise RuntimeError(f"nanoGPT's recipe ended at {run['estimate']:.3f}, {run.get('loss')}: published is 1.88")


def told_loss(found: Measured, seeds: list[float], settings: float, threads: int) -> str:
    """The section about the race."""
    losses = [found[RECIPE][0]["loss"], *seeds]
    step = [1 / ratio for ratio in ratios(found, RECIPE, PEER, "from_step")]
    start = [1 / ratio for ratio in ratios(found, RECIPE, PEER, "from_start")]
    theirs, ours = found[PEER], found[RECIPE]
    estimate = statistics.median(run["estimate"] for run in theirs)
    kept = "loss" in theirs[0]
    whole = f", {statistics.median(run['loss'] for run in theirs):.3f} on the whole part" if kept else ""
    fair = "The peer ends there by its estimate of 20 batches and is not asked for more."
    lines = [
        f"Characters of tinyshakespeare, the first 90 % learnt, windows of 64. nanoGPT's CPU recipe, 4 layers of 128, "
        f"2,000 steps of 12, compiled, with its evaluations, ends at {estimate:.3f} (mean of 20 batches{whole}); "
        f"1.88 is published. Ours, {ours[0]['weights']:,} weights: RMSNorm, rotary positions, normed heads, SwiGLU; "
        f"Muon for the matrices, {ours[0]['steps']} steps of 16; its time includes measuring the whole validation part "
        f"once, at the end. {fair} In turns, {len(ours)} rounds, each in a fresh process. The first step, which may "
        f"compile, is left out of the time from the first step and is in the one from the start of the process; the "
        f"compilers begin with empty caches.",
        table(found, {"from_step": "seconds from the first step (min / median / max)", "from_start": "from the start"}),
        f"Ours over whole validation at each seed: {', '.join(f'{loss:.3f}' for loss in losses)}; aim {REACHED} at "
        f"every seed: {_met(max(losses) <= REACHED)}. nanoGPT's settings through our loop: {settings:.3f}; aim at most "
        f"{SETTINGS}: {_met(settings <= SETTINGS)}.",
        f"nanoGPT's time over ours, from the first step: {spread(step, 1)} (min / median / max), aim {FROM_STEP:g}: "
        f"{_met(statistics.median(step) >= FROM_STEP)}; from the start: {spread(start, 1)}, aim {FROM_START:g}: "
        f"{_met(statistics.median(start) >= FROM_START)}." + _fairer(found),
        machine(("torch",), threads),
        "Again: `python -m benchmarks.pretraining --only loss`",
    ]
    return "\n\n".join(lines)


def _fairer(found: Measured) -> str:
    """The same without anybody's measuring, and in seconds of the processors, where both are known."""
    if not all("processor" in run for run in found[PEER]):
        return ""
    pairs = list(zip(found[PEER], found[RECIPE], strict=True))
    bare = [(his["from_step"] - his["measuring"]) / (mine["from_step"] - mine["measuring"]) for his, mine in pairs]
    busy = [his["processor"] / mine["processor"] for his, mine in pairs]
    return f" Without all measuring: {spread(bare, 1)}. In seconds of the processors: {spread(busy, 1)}."


def speed_part(given: argparse.Namespace) -> str:
    """Tokens a second of each program, as its section tells it."""
    from benchmarks._speed import COMPILED, LITGPT, OURS, TRAINER, has_litgpt

    labels = [OURS, TRAINER, COMPILED, *([LITGPT] if has_litgpt() else [])]
    if not has_litgpt():
        print("pretraining: litgpt is not installed and left out (see benchmarks/_speed.py)", file=sys.stderr)
    rest = ["--threads", str(given.threads), "--steps", str(given.steps)]
    parts = {}
    for precision in ("fp32", "bf16"):
        commands = {label: _command(f"{label} in {precision}", *rest) for label in labels}
        parts[precision] = measure(f"pretraining in {precision}", commands, given.rounds)
    return told_speed(parts, given.steps, given.threads)


def told_speed(parts: dict[str, Measured], steps: int, threads: int) -> str:
    """The section about tokens a second."""
    from benchmarks._speed import BATCH, COMPILED, LENGTH, LITGPT, OURS, TRAINER, WARM_UP

    lines = [
        f"Llama of 15 M weights (6 layers, 384 wide, 12,000 words, tied), rows of {LENGTH} random tokens, {BATCH} a "
        f"step, AdamW, clipped. In turns, {len(parts['fp32'][OURS])} rounds, each in a fresh process; {WARM_UP} steps "
        f"are not counted, {steps} are (their median). litgpt compiles and, for bf16, keeps its weights in bf16, as it "
        f"does by itself; the Trainer and ours keep them in fp32. Ours does not compile unless asked."
    ]
    for precision, found in parts.items():
        aims = [(OURS, TRAINER)] + ([(COMPILED, LITGPT)] if LITGPT in found else [])
        lines += [f"### {precision}", table(found, {"tokens_per_second": "tokens/s (min / median / max)"})]
        lines += [_faster(found, mine, theirs) for mine, theirs in aims]
        shares = ", ".join(f"{label} {100 * share:.0f} %" for label, share in _shares(found, OURS).items())
        lines.append(f"Of the measured peak of products, which bounds every ratio: {shares}.")
    seconds = statistics.median(run["saving"] for run in parts["fp32"][OURS])
    share = statistics.median(run["share"] for run in parts["fp32"][OURS])
    lines.append(
        f"A checkpoint takes {seconds:.2f} s: at the default interval {100 * share:.1f} % of the time; aim 5 %."
    )
    packages = ("torch", "transformers", "accelerate", *(("litgpt",) if LITGPT in parts["fp32"] else ()))
    lines += [machine(packages, threads), "Again: `python -m benchmarks.pretraining --only speed`"]
    return "\n\n".join(lines)


def _faster(found: Measured, mine: str, theirs: str) -> str:
    times = ratios(found, mine, theirs, "tokens_per_second")
    aim = FASTER[theirs]
    return (
        f"{mine} over {theirs}: {spread(times, 2)} (min / median / max); aim {aim:g}: "
        f"{_met(statistics.median(times) >= aim)}."
    )


def _shares(found: Measured, ours: str) -> dict[str, float]:
    """The share of the machine's peak that each program reaches; ours measured the peak."""
    speeds = {label: statistics.median(run["tokens_per_second"] for run in runs) for label, runs in found.items()}
    share = statistics.median(run["peak"] for run in found[ours])
    return {label: share * speed / speeds[ours] for label, speed in speeds.items()}


def _met(good: bool) -> str:
    return "met" if good else "missed"


def _command(label: str, *rest: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.pretraining", "--work", label, *rest]


def main() -> None:
    """Measure, print the sections, and write them into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", choices=("loss", "speed"))
    words.add_argument("--steps", type=int, default=12, help="steps that count for tokens a second")
    words.add_argument("--threads", type=int, default=1, help="so small a step gains little from a second one")
    words.add_argument("--nanogpt", default="", help="a checkout of karpathy/nanoGPT to run in the place of its recipe")
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", help=argparse.SUPPRESS)
    words.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work:
        print(json.dumps(work(given)))
        return
    for name, heading, part in (("loss", LOSS_HEADING, loss_part), ("speed", SPEED_HEADING, speed_part)):
        if given.only in (None, name):
            body = part(given)
            print(body)
            if not given.dry:
                replace_section(ROOT / "docs" / "performance.md", heading, body)


if __name__ == "__main__":
    main()
