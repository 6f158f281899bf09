"""A server against 2,000 requests that schemathesis makes of its own description: no 5xx, no status it does not name.

python -m benchmarks.fuzz MODEL [--cases 2000]
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.soak import served

__all__ = ["fuzzed", "main"]


def fuzzed(url: str, cases: int, seed: int = 1) -> dict[str, object]:
    """What became of about so many cases, over all operations. Raises RuntimeError where nothing was tried."""
    operations = 18
    words = ["run", f"{url}/openapi.json", "--max-examples", str(max(1, cases // operations)), "--seed", str(seed)]
    words += ["--checks", "not_a_server_error,status_code_conformance", "--phases", "fuzzing", "--no-color"]
    command = [str(Path(sys.executable).with_name("schemathesis")), *words, "--request-timeout", "60"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    tried = re.search(r"([\d,]+) generated", told.stdout)
    if tried is None:
        raise RuntimeError(told.stdout[-3000:] + told.stderr[-1000:])
    failures = re.search(r"([\d,]+) found", told.stdout)
    return {
        "cases": int(tried[1].replace(",", "")),
        "failures": told.returncode if failures is None else int(failures[1].replace(",", "")),
        "said": "" if told.returncode == 0 else told.stdout[-3000:],
    }


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--cases", type=int, default=2000)
    said = parser.parse_args()
    model = str(Path(said.model).absolute()) if Path(said.model).exists() else said.model
    with tempfile.TemporaryDirectory() as home, served(model, Path(home), "tokens=32", "queue=256") as server:
        print(json.dumps(fuzzed(server.url, said.cases), indent=1))


if __name__ == "__main__":
    main()
