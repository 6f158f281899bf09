"""Publish the model of a run on the Hugging Face hub, or in a folder laid out like one, with a model card.

The card is made of the run's own records. Of the model's folder only files of known names go: no row of the data, no
path of this machine, no journal of the training. A new repository is private unless you say otherwise.
"""

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, find
from dragoman.core.show import Show
from dragoman.core.sizing import show_bytes
from dragoman.report.model_card import write_model_card
from dragoman.stages.assistants import CARD, MODEL, RUNGS, pick
from dragoman.stages.model_card import HUB_NAME, card_facts, pathless, public_base
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "files_of", "run"]

PLACES = ("run",)
SECTIONS = False
ADAPTER = "adapter"
README = "README.md"
ALLOWED = (
    *("config.json", "generation_config.json", "model.safetensors", "model-*-of-*.safetensors"),
    *("model.safetensors.index.json", "adapter_model.safetensors", "adapter_config.json", CARD),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
)
CLEANED = ("config.json", "generation_config.json", "adapter_config.json", "tokenizer_config.json", CARD)
"files that may name another model by where it lies"
KEPT = ("kind", "labels", "multi_label", "max_length", "max_tokens", "base", "tuning", "task", "instruction", "adapter")
"of dragoman.json: what the assistant is made of"
NAMES = ("_name_or_path", "name_or_path", "base_model_name_or_path", "base")
PROGRAMS = ("chat_template",)
"what is run and not read: a slash in it is no path, and any change would be another program"
_PATH = re.compile(r"(~?/|[A-Za-z]:[\\/])[^\s/\\]+[/\\][^\n]*")


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman push`."""

    run: str = ""
    "The run to publish: its name, the start of it, a rung such as lora, or its folder; empty: the newest verdict's."
    to: str = ""
    "Where to: owner/name on the hub (or hf:owner/name), or a folder of this machine (./name)."
    public: bool = False
    "Let everybody see the repository; otherwise it is private."
    license: str = ""
    "The licence that the card names, such as apache-2.0; without one the card names none."
    adapter: bool = False
    "Publish what was learnt beside the base, in PEFT's form, instead of the whole model."
    dry: bool = False
    "Show which files would go and the card, and send nothing."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Gather the files, write the card, send both."""
    name, target = _place(settings.to)
    made = _made(folder_of(settings.project, settings.runs, settings.run), settings.run)
    folder = _published(made, settings.adapter)
    files = files_of(folder, _base(made))
    card = write_model_card(card_facts(made, folder, name or target.name, settings.license))
    files[README] = card.encode("utf-8")
    sizes = {name: len(given) if isinstance(given, bytes) else given.stat().st_size for name, given in files.items()}
    where = f"hf:{name}" if name else str(target)
    told: dict[str, Any] = {"run": made.id, "to": where, "files": sizes, "public": settings.public, "dry": settings.dry}
    rows = [(path, show_bytes(size)) for path, size in sizes.items()]
    stays = sorted({path.name for path in folder.iterdir()} - files.keys())
    if settings.dry:
        show.table(f"would go to {where}", ("file", "size"), rows)
        show.card("stays here", [("in the folder", ", ".join(stays) or "nothing")])
        show.card("model card", [(README, card)])
        show.result({**told, "card": card})
        return 0
    if name:
        from dragoman.models.hub import send

        with show.board(f"push {made.id}") as board, board.step("send") as tick:
            address = send(files, name, settings.public, f"{made.id}, by dragoman {made.record.get('version', '')}")
            tick(1.0, f"{len(files)} files, {show_bytes(sum(sizes.values()))}")
        seen = "public" if settings.public else "private: only you and whom you let see it"
        show.card("published", [("at", address), ("it is", seen), ("use it", f"hf:{name} in models.candidates"), *rows])
        show.result({**told, "address": address})
        return 0
    _write(target, files)
    show.card("published", [("in", str(target)), *rows])
    show.result({**told, "address": str(target)})
    return 0


def _place(to: str) -> tuple[str, Path]:
    """A name on the hub, or an empty one and a folder. Raises UserError where it could be either, or is nothing."""
    if not to:
        raise UserError("it is not said where the model goes", "say it: dragoman push to=owner/name, or to=./folder")
    name = to.removeprefix("hf:")
    if HUB_NAME.fullmatch(name) and not to.startswith("."):
        if to == name and Path(name.partition("/")[0]).is_dir():
            hint = f"say which: to=hf:{name} or to=./{name}"
            raise UserError(f"{name} may be a repository on the hub or a folder here", hint)
        return name, Path()
    if to.startswith("hf:"):
        raise UserError(f"'{to}' is not a name on the Hugging Face hub", "write it as to=owner/name")
    return "", typed(to)


def _made(root: Path, word: str) -> Run:
    """The run whose model is meant: a rung by a verdict or its name, or a training of a language model."""
    if word and word not in RUNGS:
        one = find(root, word)
        if one.finished and (one.folder / MODEL).is_dir():
            return one
    return pick(root, word)


def _published(made: Run, adapter: bool) -> Path:
    """The folder that is published, held against its manifest."""
    folder = made.folder / (ADAPTER if adapter else MODEL)
    if adapter and not folder.is_dir():
        raise UserError(
            f"{made.id} has no adapter beside its model", "leave adapter out: dragoman push publishes the whole model"
        )
    if (
        not any((folder / name).exists() for name in ("model.safetensors.index.json", "model.safetensors"))
        and not (folder / "adapter_model.safetensors").exists()
    ):
        raise UserError(
            f"{made.id} learnt no weights of its own: there is nothing to publish",
            "push a rung that is trained, such as: dragoman push lora to=owner/name",
        )
    wrong = durable.problems(folder)
    if wrong:
        raise UserError(wrong[0], "make it again with the command that made it: dragoman run")
    return folder


def _base(made: Run) -> str:
    return public_base(str(made.results.get("base") or made.settings.get("model") or ""))


def files_of(folder: Path, base: str = "") -> dict[str, Path | bytes]:
    """What is published of a model's folder, by name: the file, or its content without any path of this machine.

    `base` is the public name of the model it was trained from, in the place of where that lies.
    """
    found: dict[str, Path | bytes] = {}
    for file in sorted(folder.iterdir()):
        if not file.is_file() or not any(fnmatch.fnmatchcase(file.name, pattern) for pattern in ALLOWED):
            continue
        found[file.name] = file
        if file.name in CLEANED:
            table = json.loads(file.read_text(encoding="utf-8"))
            if file.name == CARD:
                table = {name: value for name, value in table.items() if name in KEPT}
            clean = _clean(table, base)
            if clean != table:
                found[file.name] = (json.dumps(clean, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    return found


def _clean(table: Mapping[str, Any], base: str) -> dict[str, Any]:
    """A table of settings without paths; where a model is named by one, its public name stands there.

    Only hf: and builtin: say that a name is public: owner/name may as well be a folder of the machine it was made on.
    """
    kept: dict[str, Any] = {}
    for name, value in table.items():
        if name in NAMES and isinstance(value, str):
            kept[name] = value if value.startswith(("hf:", "builtin:")) else base
        elif name in PROGRAMS:
            kept[name] = value
        elif not _is_path(value):
            kept[name] = _cleaned(value, base)
    return kept


def _cleaned(value: Any, base: str) -> Any:
    """A value of any depth without paths: in a list they are left out, in a text the last name of each stays."""
    if isinstance(value, Mapping):
        return _clean(value, base)
    if isinstance(value, list):
        return [_cleaned(one, base) for one in value if not _is_path(one)]
    return pathless(value) if isinstance(value, str) else value


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def _write(target: Path, files: Mapping[str, Path | bytes]) -> None:
    """Publish into a folder of this machine; one that holds anything else is left as it is."""
    known = {*files, durable.MANIFEST}
    strange = sorted(path.name for path in target.iterdir() if path.name not in known) if target.is_dir() else []
    if strange:
        raise UserError(f"{target} holds other files already, such as {strange[0]}", "name a new folder with to=./NAME")

    def fill(stage: Path) -> None:
        for name, given in files.items():
            (stage / name).write_bytes(given if isinstance(given, bytes) else given.read_bytes())

    durable.publish(target, fill)
