"""Training runs killed with SIGKILL at random instants, resumed by the same call, and compared bit for bit.

python -m benchmarks.kills [--runs 17] [--kills 3] [--seed 0] [--json]
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from dragoman.stages.proofs.nursery import nursery
from dragoman.stages.proofs.resume import Rough, tried
from dragoman.train.trial import TRIALS


def main() -> int:
    """Run, kill, compare, print the table; 0 when every run is exact and was killed as often as asked."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument(
        "--runs", type=int, default=len(TRIALS), help="kinds of training; after the last the first again"
    )
    words.add_argument("--kills", type=int, default=3, help="kills of each")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = words.parse_args()
    dice, rows = random.Random(given.seed), list[tuple[str, list[Rough]]]()
    with tempfile.TemporaryDirectory() as folder, nursery() as raising:
        for run in range(given.runs):
            name = TRIALS[run % len(TRIALS)].name
            print(f"run {run + 1} of {given.runs}: {name}", file=sys.stderr, flush=True)
            place = Path(folder) / str(run)
            rows.append((name, tried(raising, name, given.kills, dice, place, given.seed + run)))
    every = [rough for _, found in rows for rough in found]
    exact = sum(not any(rough.wrong for rough in found) for _, found in rows)
    kills, damaged = sum(rough.kills for rough in every), sum(rough.damaged for rough in every)
    if given.json:
        print(json.dumps({"runs": len(rows), "kills": kills, "exact": exact, "damaged": damaged}))
    else:
        _tell(rows)
        print(f"\n{exact} of {len(rows)} runs, killed {kills} times, end with the bits of the run that was left alone.")
    return 0 if exact == len(rows) and kills == given.runs * given.kills else 1


def _tell(rows: list[tuple[str, list[Rough]]]) -> None:
    print("| run | seconds | kills | damaged states | bit for bit |\n|---|---|---|---|---|")
    for name, found in rows:
        kills, damaged = sum(rough.kills for rough in found), sum(rough.damaged for rough in found)
        wrong = "; ".join(rough.wrong for rough in found if rough.wrong)
        print(f"| {name} | {found[0].seconds:.2f} | {kills} | {damaged} | {f'NO: {wrong}' if wrong else 'yes'} |")


if __name__ == "__main__":
    sys.exit(main())
