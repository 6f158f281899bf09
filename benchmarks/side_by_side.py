"""Two programs measured side by side: in turns, each time in a fresh process, told as ratios pair by pair."""

import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "machine", "measure", "ratios", "replace_section", "spread", "table"]

ROOT = Path(__file__).resolve().parent.parent
Measured = dict[str, list[dict[str, Any]]]


def measure(name: str, commands: Mapping[str, Sequence[str]], rounds: int) -> Measured:
    """What each command printed in each round: {label: [its JSON object, one a round]}.

    The order is A B A B: a machine that slows down or warms up does it to both. Each command runs alone, from the root
    of the repository, in a process of its own, and prints one JSON object on its last line. Raises RuntimeError with
    what it said where one fails.
    """
    found: Measured = {label: [] for label in commands}
    for turn in range(rounds):
        for label, command in commands.items():
            print(f"{name}: round {turn + 1} of {rounds}, {label}", file=sys.stderr, flush=True)
            done = subprocess.run(list(command), cwd=ROOT, capture_output=True, text=True, check=False)
            lines = done.stdout.strip().splitlines()
            if done.returncode or not lines:
                raise RuntimeError(f"{label} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
            found[label].append(json.loads(lines[-1]))
    return found


def spread(values: Sequence[float], digits: int = 1) -> str:
    """min / median / max."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def ratios(measured: Measured, ours: str, theirs: str, figure: str) -> list[float]:
    """Ours over theirs, round by round: neighbours in time are compared, never the best with the worst."""
    pairs = zip(measured[ours], measured[theirs], strict=True)
    return [float(mine[figure]) / float(other[figure]) for mine, other in pairs]


def table(measured: Measured, figures: Mapping[str, str]) -> str:
    """A Markdown table of min / median / max: a row a program, a column a figure ({key in the JSON: what it says})."""
    lines = ["| | " + " | ".join(figures.values()) + " |", "|---" * (len(figures) + 1) + "|"]
    for label, runs in measured.items():
        cells = [spread([float(run[key]) for run in runs]) for key in figures]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine(packages: Sequence[str], threads: int) -> str:
    """One line that says when, on what and with which versions something was measured."""
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {_processor()}, {os.cpu_count()} cores, {threads} threads; "
        f"Python {platform.python_version()}, {versions}."
    )


def replace_section(path: Path, heading: str, body: str) -> None:
    """Write `body` under `## heading` of a Markdown file; every other section stays as it is."""
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Performance\n"
    section = f"## {heading}\n\n{body.strip()}\n"
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found:
        after = text[found.end() :]
        text = text[: found.start()] + section + ("\n" + after if after else "")
    else:
        text = text.rstrip() + "\n\n" + section
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.is_file() else None
    return named.group(1) if named else platform.processor() or platform.machine()
