"""Writes the files around an exported app: containers, units, probes, exact versions, what to read and how to test."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from dragoman.stages.exported import SERVE

__all__ = ["FILES", "GRACE", "App", "memory_of", "versions_of", "write_files"]

TEMPLATES = Path(__file__).parent / "app_files"
DRAIN = 30  # seconds that the server takes at the most to end what it accepted (serve/limits.py)
GRACE = DRAIN + 15
"the seconds after which a server that was asked to stop may be killed"
USER, SPACES_USER, SPACES_PORT = 10001, 1000, 7860
STEP = 256  # MiB that limits of memory are rounded to
ROOM = 512  # MiB beside what was measured: pages of requests, the journal, the page
EMPTY = 300  # MB of a server whose model is a toy: Python, torch and the web server (measured 290, a CPU build)
FILES: Mapping[str, str] = {
    SERVE: "serve.toml.j2",
    "Dockerfile": "Dockerfile.j2",
    ".dockerignore": "dockerignore.j2",
    "compose.yaml": "compose.yaml.j2",
    "k8s.yaml": "k8s.yaml.j2",
    "README.md": "README.md.j2",
    "spaces/README.md": "spaces/README.md.j2",
}
"the files of every app by the template they are made of; the unit of systemd is named after the app"
_REQUIRED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True, slots=True)
class App:
    """What the files say of one app."""

    name: str
    "of the image, the unit and the service: small letters, digits and dashes"
    title: str
    "what the scope calls the project"
    run: str
    said: str
    "what the judgement said of the run"
    version: str
    "of dragoman"
    python: str
    port: int
    extras: tuple[str, ...]
    "the extras of dragoman that serving this model needs"
    request: int
    "MiB of memory that it takes"
    limit: int
    "MiB of memory above which something is wrong"
    memory: str
    "where these two numbers come from"
    smoke: Mapping[str, Any]
    "what the smoke test asks and expects"
    wheel: str = ""
    "the file of dragoman to install; empty takes the package index's"
    vllm: bool = False
    "whether the model's folder can be served by vLLM"


def memory_of(measured: float, weights: float) -> tuple[int, int, str]:
    """MiB to ask for, MiB to be bounded by, and why; `measured` and `weights` in MB.

    Where nothing was measured it is what an empty server takes and twice the weights: once as read, once as used.
    """
    taken = measured or EMPTY + 2 * weights
    why = f"measured {measured:,.0f} MB while it was judged" if measured else f"guessed from {weights:,.0f} MB of files"
    mebibytes = taken * 1e6 / (1 << 20)
    return _up(mebibytes), _up(1.5 * mebibytes + ROOM), f"{why}, and half of it and {ROOM} MiB beside"


def _up(mebibytes: float) -> int:
    return STEP * -int(-mebibytes // STEP)


def versions_of(extras: Sequence[str]) -> str:
    """The exact versions of all that dragoman needs with these extras, one a line, as they are installed here.

    What a platform adds behind a "+" is left out: `torch==2.13.0` is met by every build of it.
    """
    found: dict[str, str] = {}
    waiting = [("dragoman", tuple(extras))]
    seen = set(waiting)
    while waiting:
        name, wanted = waiting.pop()
        try:
            told, exact = requires(name) or [], version(name)
        except PackageNotFoundError:
            continue  # for another platform, or of an extra that this machine does without
        if name != "dragoman":
            found[re.sub(r"[-_.]+", "-", name).lower()] = exact.partition("+")[0]
        for line in told:
            _, _, marker = line.partition(";")
            extra = _EXTRA.search(marker)
            match = _REQUIRED.match(line)
            if match is None or (extra and extra[1] not in wanted):
                continue
            inner = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
            one = (re.sub(r"[-_.]+", "-", match[1]).lower(), inner)
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return "".join(f"{name}=={exact}\n" for name, exact in sorted(found.items()))


def write_files(stage: Path, app: App) -> None:
    """Write all of them into a folder."""
    names = {**FILES, f"{app.name}.service": "app.service.j2"}
    for name, template in names.items():
        _write(stage / name, _filled(template, app, USER, app.port, False))
    _write(stage / "spaces" / "Dockerfile", _filled("Dockerfile.j2", app, SPACES_USER, SPACES_PORT, True))
    _write(stage / "constraints.txt", versions_of(app.extras))
    _write(stage / "smoke.json", json.dumps(dict(app.smoke), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    _write(stage / "smoke.py", (Path(__file__).parent / "smoke.py").read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _filled(template: str, app: App, user: int, port: int, spaces: bool) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    opened = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # none of these is HTML; every value is a number or a name of letters, digits and dashes
    )
    told = {**asdict(app), "extras": ",".join(app.extras), "user": user, "port": port, "spaces": spaces}
    return opened.get_template(template).render(told, grace=GRACE, drain=DRAIN)
