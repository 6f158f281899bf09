"""Program-aided answers on whole sets of problems, with programs that never err: what the sandbox adds is no error.

python -m benchmarks.pal [--most N]

A program is built from each problem's own annotations (GSM8K), or found by search from its numbers (the others); where
neither computes the answer, the program states it, and the table says how many of those there are.
"""

import argparse
import json
import statistics
import time

from benchmarks.side_by_side import ROOT
from dragoman.app.sandbox.box import open_sandbox
from tests.app.steps.scripted import read_problems

FILES = ("gsm8k_test", "svamp", "asdiv", "mawpsmultiarith")


def main() -> None:
    """Run every program and print a line a set."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--most", type=int, default=0, help="problems a set; 0 takes all")
    most = words.parse_args().most
    box = open_sandbox()
    for name in FILES:
        problems = read_problems(ROOT.parent / "shared" / "data" / "reasoning" / f"{name}.jsonl", most)
        right, times, begun = 0, [], time.perf_counter()
        for one in problems:
            came = box.run(one.program)
            right += came.finished and abs(float(came.text) - one.target) < 1e-5
            times.append(came.seconds)
        facts = {
            "set": name,
            "problems": len(problems),
            "right": right,
            "computed": sum(one.computes for one in problems),
            "median_ms": round(1000 * statistics.median(times), 1),
            "seconds": round(time.perf_counter() - begun, 1),
        }
        print(json.dumps(facts))


if __name__ == "__main__":
    main()
