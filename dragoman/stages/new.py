"""Write a project file to start from, filled in as far as the data tells.

It never overwrites one. Every setting that matters stands in it with a comment; the rest is in docs/commands.md.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.core.show import Show

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("folder",)
SECTIONS = False

TEMPLATE = """\
[scope]
name = {name}
objective = "Say in one sentence what the application does, and for whom."
task = "classify"
target = {{ macro_f1 = ">= 0.80" }}   # what good enough means: decide it before any work
limits = {{ p95_ms = "<= 50", size_mb = "<= 120", forgetting = "<= 0.05" }}
budget = {{ memory = "8 GiB", time = "15 min" }}

# One sentence a label helps the zero-shot rung, and a label outside the list is refused.
{labels}
[data]
source = {source}      # jsonl, csv, tsv, parquet, txt, a glob, builtin:stdlib or hf:owner/name
{columns}
[models]
candidates = ["builtin:minilm"]  # or a folder in Hugging Face form, or hf:owner/name

[ladder]
rungs = ["zero_shot", "few_shot", "head", "layers", "lora", "full"]
"""

WRITING = """\
[scope]
name = {name}
objective = "Say in one sentence what the application does, and for whom."
task = "chat"
target = {{ rougel = ">= 0.30", stopped = ">= 0.95" }}   # what good enough means: decide it before any work
limits = {{ forgetting = "<= 0.10" }}
budget = {{ memory = "16 GiB", time = "4 h" }}

[data]
source = {source}      # jsonl, csv, tsv, parquet, a glob or hf:owner/name
shape = "{shape}"

[models]
candidates = ["hf:Qwen/Qwen3-0.6B"]  # or the folder of another model that writes, in Hugging Face form
max_length = 512
max_tokens = 128

[ladder]
rungs = ["zero_shot", "few_shot", "lora", "full"]{more}
"""
MORE = {
    "preference": "\n\n# The chosen answers are learnt; from the pairs themselves learns: dragoman train objective=dpo",
    "ranked": "\n\n# The best answers are learnt; from best and worst learns: dragoman train objective=dpo",
    "thumbs": "\n\n# All answers are learnt alike; from good and bad ones learns: dragoman train objective=kto",
}


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman new`."""

    folder: str = "."
    "The folder the project file is written into; it is made if it is not there."
    data: str = "builtin:stdlib"
    "Where the rows are, from the folder you stand in; columns and labels are read from it."
    name: str = ""
    "The name of the project; empty takes the folder's."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Write dragoman.toml and say what to do next."""
    folder = Path(settings.folder)
    file = folder / "dragoman.toml"
    if file.exists():
        raise UserError(f"{file} exists already", "edit it, or give another folder: dragoman new FOLDER")
    columns, labels, source, shape = "", '# [scope.labels]\n# name = "what it means"\n', settings.data, ""
    if not source.startswith(("builtin:", "hf:")):
        shape = _answered(source)
        columns, labels = ("", "") if shape else _look(source)
        source = os.path.relpath(source, folder)  # from the project file's folder, so that both can be moved together
    facts = {"name": json.dumps(settings.name or folder.absolute().name), "source": json.dumps(source)}
    text = TEMPLATE.format(**facts, columns=columns, labels=labels)
    if shape:
        text = WRITING.format(**facts, shape=shape, more=MORE.get(shape, ""))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{file} cannot be written: {error.strerror}", "give another folder: dragoman new FOLDER"
        ) from None
    where = "" if settings.folder == "." else f" {settings.folder}"
    show.card("a project to start from", [("file", str(file)), ("then", f"dragoman check{where}")])
    show.result({"file": str(file), "next": f"dragoman check{where}"})
    return 0


def _answered(source: str) -> str:
    """The shape of rows in which a text answers another, such as dialogues and pairs; empty for rows of any other."""
    from dragoman.data.load import guess_task, load

    try:
        loaded = load(source, task="")
    except UserError:
        return ""  # what is amiss is said by the reading that follows
    return loaded.shape if guess_task(loaded) == "chat" else ""


def _look(source: str) -> tuple[str, str]:
    """The columns and labels found in the data, as lines of the project file."""
    from dragoman.core.project import Data, Project
    from dragoman.stages.prepare import gather

    loaded = gather(Project(data=Data(source=source, keep_going=True))).source
    columns = f"columns = {{ text = {json.dumps(loaded.columns.text)}, label = {json.dumps(loaded.columns.label)} }}\n"
    labels: Sequence[str] = sorted({label for example in loaded.examples for label in example.answers})
    if len(labels) > 40:
        return columns, ""
    lines = [
        f"{json.dumps(label, ensure_ascii=False)} = {json.dumps(label.replace('_', ' '), ensure_ascii=False)}"
        for label in labels
    ]
    return columns, "[scope.labels]\n" + "\n".join(lines) + "\n"
