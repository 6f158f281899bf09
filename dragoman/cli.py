"""The command line: words become settings, settings go to one stage, errors become one message and an exit code.

Exit codes: 0 done (for `run`, `judge` and `evaluate`: the scope is met), 1 the scope is not met, 2 a mistake in what
was given, 130 and 143 stopped by Ctrl-C or SIGTERM with everything saved. Anything else is a bug.
"""

import contextlib
import importlib
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

from dragoman import __version__
from dragoman.core.config import Setting, build, describe, merge, nearest, parse_word
from dragoman.core.errors import Stopped, UserError
from dragoman.core.show import Show, visible

__all__ = ["VERBS", "help_of", "main", "overview", "stage_of", "summary"]

VERBS = (
    *(
        "new",
        "check",
        "plan",
        "prepare",
        "vocab",
        "corpus",
        "pretrain",
        "train",
        "tune",
        "sweep",
        "evaluate",
        "run",
        "judge",
        "rate",
        "revise",
        "write",
        "export",
        "serve",
        "watch",
        "collect",
        "promote",
    ),
    *("index", "ask", "generate", "chat", "explain", "models", "runs", "report", "push", "verify", "doctor"),
)
# Names joined by dots and then "=", no space among them: a sentence that holds a "=" is no setting.
_SETTING = re.compile(r"[A-Za-z_]\w*(\.[^=\s]+)*=")
SHORT = {"-c": "--follow"}
STOPPED = "stopped; what was done is saved, and the same command goes on from it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every mistake of the user's ends here as one message."""
    words = list(sys.argv[1:] if argv is None else argv)
    show = Show(json="--json" in words)
    rank = os.environ.get("RANK", "0") if os.environ.get("WORLD_SIZE", "1") != "1" else "0"
    quiet = io.StringIO() if rank != "0" else sys.stdout  # of several processes that train, the first one has results
    try:
        with contextlib.redirect_stdout(quiet):
            return _answer([word for word in words if word != "--json"], show)
    except UserError as error:
        hint = error.hint if _has_project(words) else error.hint.replace(" in models.candidates", "")
        who = "dragoman" if rank == "0" else f"dragoman, process {rank}"
        print(f"{who}: {visible(error.problem)}\n  {visible(hint)}", file=sys.stderr)
        if show.json:
            print(json.dumps({"error": {"problem": error.problem, "hint": hint}}))
        return 2
    except Stopped as stopped:
        print(f"dragoman: {str(stopped) or _stopped(words)}", file=sys.stderr)
        return 128 + stopped.signal
    except KeyboardInterrupt:
        print(f"dragoman: {_stopped(words)}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _keeps(words: Sequence[str]) -> bool:
    """Whether what the verb has done is kept, so that the same command goes on."""
    return _has_project(words) or next(iter(words), "") in ("corpus", "pretrain", "revise")


def _has_project(words: Sequence[str]) -> bool:
    """Whether the verb works on a project: it takes the project's settings, and its work is kept in runs."""
    verb = next(iter(words), "")
    return verb not in VERBS or bool(stage_of(verb).SECTIONS)


def _stopped(words: Sequence[str]) -> str:
    return STOPPED if _keeps(words) else "stopped"


def _answer(words: list[str], show: Show) -> int:
    if words and words[0] in ("--version", "-V"):
        print(__version__)
        return 0
    if not words:
        from dragoman.stages import state

        return state.run(show)
    if words[0] in ("--help", "-h", "help"):
        print(help_of(words[1]) if len(words) > 1 and words[1] in VERBS else overview())
        return 0
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        raise UserError(f"there is no verb '{verb}'", nearest(verb, VERBS) + "; see dragoman --help")
    if "--help" in rest or "-h" in rest:
        print(help_of(verb))
        return 0
    return _call(verb, rest, show)


def _call(verb: str, words: list[str], show: Show) -> int:
    """Sort the words into the verb's own settings and those of the project, then run the stage."""
    stage = stage_of(verb)
    own = _own(stage)
    table: dict[str, object] = {}
    project: list[str] = []
    places = list(stage.PLACES)
    for word in words:
        word = SHORT.get(word, word)
        if word.startswith("--"):
            name, _, text = word[2:].replace("-", "_").partition("=")
            if name not in own:
                raise UserError(
                    f"dragoman {verb} has no option {word}", nearest(name, own) + f"; see dragoman {verb} --help"
                )
            table = merge(table, own[name], _value(stage, own[name], parse_word(f"{name}={text or 'true'}")[1], text))
        elif _SETTING.match(word):
            path, value = parse_word(word)
            if path[0] in own:
                place = (*own[path[0]], *path[1:])
                table = merge(table, place, _value(stage, place, value, word.partition("=")[2]))
            elif stage.SECTIONS:
                project.append(word)
            else:
                hint = nearest(path[0], own) + f"; see dragoman {verb} --help"
                raise UserError(f"dragoman {verb} has no setting '{word}'", hint)
        elif places:
            table[places.pop(0)] = word
        else:
            raise UserError(f"dragoman {verb} does not know what to do with '{word}'", f"see dragoman {verb} --help")
    # A verb may read settings from a file that its words name: they are laid under what was given, before defaults are.
    settings = build(stage.Settings, stage.laid(table) if hasattr(stage, "laid") else table)
    code: int = stage.run(settings, tuple(project), show)
    return code


def _value(stage: ModuleType, place: tuple[str, ...], value: object, text: str) -> object:
    """What a word sets: where a text is asked for, a number stays as it was typed (`prompt=1e5` is no 100000.0)."""
    kind: object = stage.Settings
    for name in place:
        kind = get_type_hints(kind).get(name) if is_dataclass(kind) else None
    return text if kind is str and isinstance(value, int | float) and not isinstance(value, bool) else value


def _own(stage: ModuleType) -> dict[str, tuple[str, ...]]:
    """Every word of a verb and the setting it stands for.

    The settings of a section are words too: `temperature=0.7` is `how.temperature=0.7`. The verb's own names win.
    """
    inside = {setting.name: (section, setting.name) for section, kind in _sections(stage) for setting in describe(kind)}
    return inside | {field.name: (field.name,) for field in fields(stage.Settings)}


def _sections(stage: ModuleType) -> list[tuple[str, type]]:
    """The settings of a verb that are tables of settings themselves."""
    kinds = get_type_hints(stage.Settings).items()
    return [(name, kind) for name, kind in kinds if isinstance(kind, type) and is_dataclass(kind)]


def stage_of(verb: str) -> ModuleType:
    """The module that does a verb."""
    return importlib.import_module(f"dragoman.stages.{verb}")


def overview() -> str:
    """What `dragoman --help` prints: one line a verb."""
    lines = ["dragoman takes a narrow language-model project from a written scope to a measured application.", ""]
    lines += ["usage: dragoman VERB [WORDS] [section.key=value ...] [--json]", ""]
    lines += [f"  {verb:<9} {summary(verb)}" for verb in VERBS]
    lines += [
        "",
        "dragoman VERB --help tells the words and settings of a verb; dragoman alone tells what to do next.",
        "",
    ]
    lines += ["exit codes: 0 done or met, 1 not met, 2 a mistake in what was given, 130/143 stopped and saved"]
    return "\n".join(lines)


def summary(verb: str) -> str:
    """The sentence a stage opens with, read from its file: importing them all would take half a second."""
    source = (Path(__file__).parent / "stages" / f"{verb}.py").read_text(encoding="utf-8")
    return source.split('"""', 2)[1].strip().splitlines()[0]


def help_of(verb: str) -> str:
    """What `dragoman VERB --help` prints."""
    from dragoman.core.project import Project

    stage = stage_of(verb)
    text = (stage.__doc__ or "").strip()
    usage = " ".join(["usage: dragoman", verb, *(f"[{place.upper()}]" for place in stage.PLACES)])
    lines = [text, "", usage + " [key=value ...] [--json]", ""]
    own = _own(stage)
    lines += _lines(describe(stage.Settings))
    for section, kind in _sections(stage):
        told = [setting for setting in describe(kind) if own[setting.name] == (section, setting.name)]
        lines += ["", f"  {section} holds these, which can be given by their own names:", *_lines(told)]
    if stage.SECTIONS:
        sections = ", ".join(setting.name for setting in describe(Project) if setting.name != "root")
        lines += ["", f"Any setting of the project can be given too: {sections} (docs/commands.md lists them all)."]
    return "\n".join(lines)


def _lines(settings: Sequence[Setting]) -> list[str]:
    """One line a setting: its name, its help, its default."""
    wide = max((len(setting.name) for setting in settings), default=0)
    defaults = [f" (default {one.default})" if one.default not in ("", "''") else "" for one in settings]
    return [
        f"  {one.name:<{max(wide, 12)}} {one.help}{default}" for one, default in zip(settings, defaults, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
