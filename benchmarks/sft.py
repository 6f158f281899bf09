"""Fine-tuning on instructions beside TRL and transformers: useful tokens a second, and memory beside what was planned.

python -m benchmarks.sft [--rounds 3] [--only ours|trl|memory] [--trl FOLDER] [--data FILE] [--compile] [--dry]

TRL takes part where it is installed (pip install "dragoman[bench]"), or where `--trl` names the folder it is in.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks._sft import COMPILING, EXAMPLES, OURS, PACKED_ROWS, ROOM, TRAINER, TRL, WARM_UP, prepare, turn
from benchmarks.side_by_side import ROOT, Measured, machine, measure, replace_section, spread, table

HEADING = "Fine-tuning on instructions"
DATA = ROOT.parent / "shared" / "data" / "instruction" / "alpaca_en.jsonl"
FULL, COMPILED, LORA = "dragoman, full", "dragoman, full, compiled", "dragoman, LoRA"
DEFAULTS = "TRL, defaults"
BEST, PLAIN, THIN, REACH = 3.0, 6.0, 1.15, 0.15
"the aims: ours over TRL's best and over its defaults, LoRA over full, and how far memory may be from the plan"
FIGURES = {
    "tokens_per_second": "useful tokens/s (min / median / max)",
    "tokens_per_busy": "useful tokens a second of the processor",
}


def labels_of(only: str | None, compiled: bool, there: bool) -> list[str]:
    """Who takes part, in their order: `there` says that TRL can be imported."""
    ours = [one for one in OURS if compiled or one != COMPILED]
    peers = [*TRAINER, *(TRL if there else ())]
    return {"ours": ours, "memory": ours, "trl": peers}.get(only or "", [*ours, *peers])


def told(
    found: Measured, sizes: Mapping[str, int], given: argparse.Namespace, peak: float, packages: Sequence[str]
) -> str:
    """The section of docs/performance.md."""
    rounds = len(next(iter(found.values())))
    lines = [
        f"A Llama of {sizes['weights'] / 1e6:.0f} M fresh weights ({sizes['vocabulary']:,} words, tied); "
        f"{sizes['rows']} Alpaca-like dialogues in one chat template, {sizes['tokens']:,} tokens, of which "
        f"{sizes['learnt']:,} are learnt. bf16, AdamW, weights kept in fp32. A step has {EXAMPLES} examples, or, "
        f"packed, {PACKED_ROWS} rows of {ROOM} tokens. Useful tokens are those that are no padding. {WARM_UP} steps "
        f"are not counted, {given.steps} are; in turns, {rounds} rounds, each in a fresh process. TRL's defaults "
        f"recompute activations and pad; its other rows do not recompute. Ours keeps a running average of the "
        f"weights, as it does by itself."
        + ("" if COMPILED not in found else f" Compiled, {COMPILING} are not counted: new lengths compile anew."),
        table(found, FIGURES),
    ]
    lines += _ratios(found)
    if peak and FULL in found:
        speed = statistics.median(run["tokens_per_busy"] for run in found[FULL])
        share = speed * 6 * sizes["weights"] / peak
        lines.append(
            f"Products of bf16 matrices reach {peak / 1e9:.0f} GFLOP/s here, of which ours, full, uses about "
            f"{100 * share:.0f} %: nothing can be more than {1 / share:.1f} times as fast as that."
        )
    lines += _memory(found)
    lines += [machine(packages, 1), "Again: `OMP_NUM_THREADS=1 python -m benchmarks.sft`"]
    return "\n\n".join(lines)


def _ratios(found: Measured) -> list[str]:
    """Ours over TRL's best setting and its defaults, over the Trainer's best, and LoRA over full."""
    if FULL not in found:
        return []
    lines = []
    full = [one for one in TRL if one in found and "LoRA" not in one]
    thin = [one for one in TRL if one in found and "LoRA" in one]
    trainers = [one for one in TRAINER if one in found]
    pairs: list[tuple[str, list[str], str, float]] = [
        (FULL, full, "TRL's best setting", BEST),
        (FULL, [one for one in full if one == DEFAULTS], "TRL's defaults", PLAIN),
        (FULL, trainers, "the Trainer's best", 0.0),
        (LORA, thin, "TRL's best LoRA", 0.0),
        (LORA, [FULL], "ours, full", THIN),
    ]
    for mine, others, name, aim in pairs:
        if mine in found and others:
            best = max(others, key=lambda one: statistics.median(run["tokens_per_second"] for run in found[one]))
            lines.append(_faster(found, mine, best, name, aim))
    return lines


def _faster(found: Measured, mine: str, theirs: str, name: str, aim: float) -> str:
    """One ratio, by the wall and by the processor; where there is an aim, whether it was met by the wall."""
    both = [[one[key] / other[key] for one, other in zip(found[mine], found[theirs], strict=True)] for key in FIGURES]
    met = "" if not aim else f"; aim {aim:g}: {'met' if statistics.median(both[0]) >= aim else 'missed'}"
    who = "" if theirs in (FULL, DEFAULTS) else f" ({theirs})"
    wall, busy = (spread(one, 2) for one in both)
    return f"{mine} over {name}{who}: {wall} (min / median / max), by the processor {busy}{met}."


def _memory(found: Measured) -> list[str]:
    """What each process grew by from the moment that everything was imported, and of ours the plan beside it."""
    lines = ["| | libraries, MiB | grown by, MiB | planned, MiB | grown over planned |", "|---|---|---|---|---|"]
    off = []
    for label, runs in found.items():
        idle, grown = (statistics.median(run[key] for run in runs) / 2**20 for key in ("idle", "grown"))
        row = f"| {label} | {idle:,.0f} | {grown:,.0f} | "
        if "planned" in runs[0] and label != COMPILED:  # a compiler's own memory is no part of the plan
            planned = runs[0]["planned"] / 2**20
            off.append(abs(grown / planned - 1.0))
            row += f"{planned:,.0f} | {grown / planned:.2f}"
        else:
            row += "|"
        lines.append(f"{row} |")
    told = ["\n".join(lines)]
    if off:
        met = "met" if max(off) <= REACH else "missed"
        told.append(f"The plan is off by at most {100 * max(off):.0f} %; aim {100 * REACH:.0f} %: {met}.")
    return told


def measure_peak() -> float:
    """Operations a second of bf16 products on one thread: the best of some, for a bound."""
    import time

    import torch

    torch.set_num_threads(1)
    one, best = torch.randn(1024, 1024, dtype=torch.bfloat16), 0.0
    for _ in range(40):
        begun = time.process_time()
        one @ one
        best = max(best, 2 * 1024**3 / (time.process_time() - begun))
    return best


def _part(given: argparse.Namespace) -> str:
    there = find_spec("trl") is not None
    if not there and given.only in (None, "trl"):
        print('sft: TRL is not here and left out: pip install "dragoman[bench]", or --trl FOLDER', file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        sizes = prepare(Path(folder), given.data, given.examples)
        same = ["--folder", folder, "--steps", str(given.steps), *(["--trl", given.trl] if given.trl else [])]
        commands = {
            label: [sys.executable, "-W", "ignore", "-m", "benchmarks.sft", "--work", label, *same]
            for label in labels_of(given.only, given.compile, there)
        }
        found = measure("sft", commands, given.rounds)
    packages = ["torch", "transformers", *(["trl", "peft"] if DEFAULTS in found else [])]
    return told(found, sizes, given, measure_peak(), packages)


def main() -> None:
    """Measure, print the section, and write it into docs/performance.md where all took part."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", choices=("ours", "trl", "memory"), help="some programs alone; nothing is written then")
    words.add_argument("--steps", type=int, default=10, help="steps that count")
    words.add_argument("--data", type=Path, default=DATA, help="Alpaca's columns, JSON Lines")
    words.add_argument("--examples", type=int, default=64)
    words.add_argument("--trl", default="", help="a folder with trl, put in front of the others")
    words.add_argument("--compile", action="store_true", help="ours compiled too")
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.trl:
        sys.path.insert(0, given.trl)
    if given.work:
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch

        torch.set_num_threads(1)
        print(json.dumps(turn(given.work, given.folder, given.steps)))
        return
    if not given.data.is_file():
        print(f"sft: there is no {given.data}: --data names a file with Alpaca's columns", file=sys.stderr)
        return
    body = _part(given)
    print(body)
    if not given.dry and given.only is None:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
