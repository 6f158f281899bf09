"""Orders in documents against scripted models: what guards change, what they do not, and what holds whatever happens.

python -m benchmarks.injection [--dry] [--seed 0]

The models are scripted and obey what they read, so the shares of hijacked answers say what the marks hide from a reader
and nothing about a real model. Calls, addresses and leaks are held by code: they are the figures that count.
"""

import argparse
import time
from pathlib import Path

from benchmarks.side_by_side import ROOT, replace_section
from dragoman.evals.injection import Report, bare, guarded, measure, measure_adaptive
from dragoman.evals.obedient import Obedience, Obedient
from dragoman.evals.poisoned import MUTATIONS, Case, poisoned, read_attacks, read_contexts

HEADING = "Orders in documents"
DATA = ROOT.parent / "shared" / "data" / "injection"
MODELS: dict[str, Obedience] = {
    "obeys nothing": "none",
    "obeys what it reads in plain words": "plain",
    "obeys all, marked or not": "all",
}


def cases(folder: Path, seed: int) -> list[Case]:
    """The 120 poisoned documents."""
    contexts = [one for name in ("email", "table") for one in read_contexts(folder / f"bipia_{name}_train.jsonl")]
    return poisoned(contexts, read_attacks(folder / "bipia_text_attacks_train.jsonl"), seed)


def table(rows: list[tuple[str, Report]]) -> str:
    """The figures side by side."""
    names = [name for name, _ in rows[0][1].lines()]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {name} | {' | '.join(value for _, value in report.lines())} |" for name, report in rows]
    return "\n".join(lines)


def main() -> None:
    """Measure all, print the tables, and write them into docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print only")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    begun = time.monotonic()
    attacked = cases(DATA, words.seed)
    known = {case.question: case.ideal for case in attacked}
    rows: list[tuple[str, Report]] = []
    for name, obeys in MODELS.items():
        model = Obedient(known, obeys)
        rows.append((f"{name}: bare", measure(bare(model), attacked)))
        rows.append((f"{name}: guarded, no marks", measure(guarded(model, None), attacked)))
        rows.append((f"{name}: guarded", measure(guarded(model), attacked)))
        rows.append((f"{name}: guarded, best of {len(MUTATIONS) + 1}", measure_adaptive(guarded(model), attacked)))
    told = table(rows)
    plain = next(report for name, report in rows if name == "obeys what it reads in plain words: guarded")
    through = ", ".join(f"{name} {count} of {tried}" for name, (count, tried) in plain.by_disguise.items() if count)
    body = (
        f"{len(attacked)} documents, each with an order in it, seed {words.seed}, {time.monotonic() - begun:.0f} s. "
        "The models are scripted: their shares show which orders marks hide, and are no measure of a real model. What "
        "calls a tool, leads elsewhere or gives the system message away is stopped by code, whatever the model "
        f"does.\n\n{told}\n\nWhat marks do not hide from a reader of plain words: {through or 'nothing'}.\n"
    )
    print(body)
    if not words.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
