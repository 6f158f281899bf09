"""Runs: every verb leaves a folder that says with which settings, on which inputs, and what came out.

The name of a run is the hash of its verb, settings and inputs, so the same work is found again instead of done again,
and a run that was killed is gone on with. A run is the input of the next one, so every served answer can be traced to
its scope.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dragoman import __version__
from dragoman.core import durable
from dragoman.core.config import dump, nearest
from dragoman.core.errors import UserError

__all__ = ["Run", "all_runs", "environment", "find"]

RECORD = "run.json"


@dataclass(frozen=True)
class Run:
    """One run: its folder and the record in it."""

    folder: Path
    record: Mapping[str, Any]
    begun: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """Its name, such as train-4f21c09a1b."""
        return str(self.record["id"])

    @property
    def verb(self) -> str:
        """The verb that made it."""
        return str(self.record["verb"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings in force, defaults included."""
        return dict(self.record["settings"])

    @property
    def results(self) -> Mapping[str, Any]:
        """What came out; empty until it is finished."""
        return dict(self.record.get("results") or {})

    @property
    def finished(self) -> bool:
        """Whether the work is done and can be reused."""
        return self.record.get("status") == "finished"

    @staticmethod
    def begin(root: Path, verb: str, settings: Any, inputs: Mapping[str, "Run | Path | str"]) -> "Run":
        """The run of this work: a new one, the killed one to go on with, or the finished one to reuse.

        An input is a run, a path (hashed by content) or any text that identifies it. A finished run whose published
        folders no longer match their manifests is set aside and begun again.
        """
        known = {name: _input(value) for name, value in inputs.items()}
        plain = dump(settings)
        hashes = {name: entry["sha256"] for name, entry in known.items()}
        identity = {"verb": verb, "dragoman": __version__, "settings": plain, "inputs": hashes}
        name = f"{verb}-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]}"
        folder = root / name
        if (folder / RECORD).exists():
            run = Run.open(folder)
            if not run.finished or not run.damage():
                return run
            durable.quarantine(folder)
        record = {
            "id": name,
            "verb": verb,
            "version": __version__,
            "status": "started",
            "started": datetime.now(UTC).isoformat(timespec="microseconds"),  # finer than two runs in a row
            "settings": plain,
            "inputs": known,
            "results": {},
            "seconds": None,
            "environment": environment(),
        }
        durable.write_json(folder / RECORD, record)
        return Run(folder, record)

    @staticmethod
    def open(folder: Path) -> "Run":
        """The run in a folder. Raises UserError when there is none or its record cannot be read."""
        try:
            record = json.loads((folder / RECORD).read_bytes())
            if not {"id", "verb", "settings", "inputs", "status"} <= record.keys():
                raise ValueError("it lacks fields")
        except FileNotFoundError:
            raise UserError(f"{folder} holds no run", "list the runs with: dragoman runs") from None
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{folder / RECORD} cannot be read: {error}", f"move {folder} away and run again") from None
        return Run(folder, record)

    def damage(self) -> list[str]:
        """What no longer matches in the folders this run published."""
        found = []
        for name in self.record.get("published", []):
            found += durable.problems(self.folder / name)
        return found

    def finish(self, results: Mapping[str, Any], published: Sequence[str] = ()) -> "Run":
        """Write what came out and mark the run as done; `published` names its folders that carry a manifest."""
        record = {
            **self.record,
            "status": "finished",
            "results": dict(results),
            "published": list(published),
            "seconds": round(time.monotonic() - self.begun, 3),
        }
        durable.write_json(self.folder / RECORD, record)
        return Run.open(self.folder)


def _input(value: "Run | Path | str") -> dict[str, str]:
    if isinstance(value, Run):
        identity = json.dumps([value.id, value.record.get("results")], sort_keys=True)
        return {"path": value.id, "sha256": hashlib.sha256(identity.encode()).hexdigest()}
    if isinstance(value, Path):
        return {"path": str(value), "sha256": durable.digest(value)}
    return {"path": value, "sha256": hashlib.sha256(value.encode()).hexdigest()}


def all_runs(root: Path) -> list[Run]:
    """Every readable run under a folder, oldest first."""
    folders = [path.parent for path in root.glob(f"*/{RECORD}")] if root.is_dir() else []
    runs = []
    for folder in folders:
        if ".damaged-" not in folder.name:
            try:
                runs.append(Run.open(folder))
            except UserError:
                continue
    return sorted(runs, key=lambda run: (str(run.record.get("started")), run.id))


def find(root: Path, word: str, verbs: Sequence[str] = ()) -> Run:
    """The run a person means: a folder, a name, the start of a name, or a verb for its newest run."""
    if (Path(word) / RECORD).exists():
        return Run.open(Path(word))
    runs = [run for run in all_runs(root) if not verbs or run.verb in verbs]
    exact = [run for run in runs if run.id == word]
    named = exact or [run for run in runs if run.id.startswith(word)] if word else runs
    kinds = {run.verb for run in named}
    if not named:
        known = nearest(word, [run.id for run in runs]) if runs else "there is none yet: make one with: dragoman run"
        raise UserError(f"there is no run '{word}' in {root}" if word else f"there is no run in {root}", known)
    if len(named) > 1 and word not in kinds and word:
        raise UserError(f"'{word}' could be {', '.join(run.id for run in named[:5])}", "give more letters of its name")
    return named[-1]


def environment() -> dict[str, Any]:
    """What the figures depend on: versions, processor, cores; read without importing any of the packages."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    for package in ("torch", "numpy", "tokenizers", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
