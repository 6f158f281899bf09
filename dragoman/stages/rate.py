"""Let people compare the completions of a prompt, blind and in mixed order, on a local page or in the terminal.

Keys: 1 to 4 pick the best first, 0 or t tie, s skip, u undo. Every judgement is on the disk before the next is asked;
the same command goes on. export=pairs.jsonl writes what was decided as preference examples.
"""

import contextlib
import getpass
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.project import load, locate
from dragoman.core.show import Show, many
from dragoman.data.ratings import Item, Journal
from dragoman.data.ratings_desk import Desk, check_rater
from dragoman.data.ratings_pairs import export_thumbs, export_votes
from dragoman.data.ratings_read import FORM, read_items, read_thumbs
from dragoman.stages.rate_figures import figures_of, show_figures
from dragoman.stages.rate_runs import items_of_runs
from dragoman.stages.rate_terminal import rate_here
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("data",)
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman rate`."""

    data: str = ""
    'What to compare: rows of {"prompt": TEXT or messages, "completions": two to four texts}, and id, models if known.'
    between: str = ""
    "Two to four evaluations, separated by commas, whose answers are compared instead of a file."
    criterion: str = "helpful"
    "Better by what: helpful, honest, harmless, scope (the objective of the project), or your own words."
    rater: str = ""
    "Who rates; each has a progress of their own. Empty is the name you are logged in by."
    out: str = ""
    "The journal of judgements; empty is NAME.ratings.jsonl beside the data. Raters may share it at the same time."
    terminal: bool = False
    "Rate in the terminal instead of on a page."
    port: int = 8010
    "The port of the page on this machine; 0 takes any that is free."
    seed: int = 0
    "Draws the order of the completions, for each rater and item another."
    thumbs: str = ""
    "A file of thumbs to add to the journal: rows of messages (or prompt and completion) with label true or false."
    export: str = ""
    "Write what was decided to this file, as rows with prompt, chosen and rejected; no page is opened."
    votes: Literal["majority", "each"] = "majority"
    "Whether a pair is exported once, as the majority decided, or once for each rater."
    agreement: bool = False
    "Tell how far the raters agree (Krippendorff's alpha); no page is opened."
    keep_going: bool = False
    "Leave out rows that cannot be read instead of refusing the file."
    project: str = ""
    "The project file or its folder, for criterion=scope and between; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Read what is to be rated, rate or take in thumbs, and tell what the ratings say."""
    rater = check_rater(settings.rater or _me())
    criterion = _criterion(settings)
    items, said = _items(settings)
    path = _place(settings)
    journal = Journal.open(path)
    for line in (*said, *journal.notes()):
        show.say(line)
    told: dict[str, Any] = {"journal": str(path), "criterion": criterion, "rater": rater}
    if settings.thumbs:
        told["thumbs"] = _take_thumbs(settings, criterion, rater, journal, show)
    desk = Desk(items, journal, criterion, settings.seed)
    if items and not (settings.export or settings.agreement or settings.thumbs):
        if settings.terminal:
            rate_here(desk, rater, show)
        else:
            _open_page(desk, rater, settings.port)
    if items:
        view = desk.view(rater)
        told |= {"items": view["total"], "done": view["done"], "skipped": view["skipped"]}
        figures = figures_of(items, journal.standing(criterion), settings.seed)
        told |= figures
        if settings.agreement or settings.export or len(figures["raters"]) > 1:
            show_figures(figures, show)
    if settings.export:
        told["export"] = _export(settings, items, criterion, journal, show)
    show.result(told)
    return 0


def _me() -> str:
    """The name a person is logged in by."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "me"


def _criterion(settings: Settings) -> str:
    text = " ".join(settings.criterion.split())
    if text == "scope":
        text = " ".join(load(locate(settings.project)).scope.objective.split())
        if not text:
            raise UserError("the scope has no objective", "write scope.objective, or say criterion=helpful")
    if not text:
        raise UserError("there is no criterion", "say by what an answer is better: criterion=helpful")
    return text


def _items(settings: Settings) -> tuple[list[Item], list[str]]:
    """What is compared: a file or the answers of runs; nothing where only thumbs are taken in or exported."""
    if settings.data and settings.between:
        raise UserError("both a file and runs are named", "give one of them: data=PATH or between=RUN,RUN")
    if settings.between:
        names = [name.strip() for name in settings.between.split(",") if name.strip()]
        return items_of_runs(folder_of(settings.project, settings.runs), names)
    if settings.data:
        return read_items(settings.data, keep_going=settings.keep_going)
    if settings.thumbs or (settings.export and settings.out):
        return [], []
    raise UserError("nothing is named to rate", f"name a file of {FORM}: dragoman rate completions.jsonl")


def _place(settings: Settings) -> Path:
    """Where the journal lies. Raises UserError where it, or the export, would write over what was read."""
    if settings.out:
        path = typed(settings.out)
    elif settings.between:
        path = Path("ratings.jsonl")
    else:
        path = _beside(settings.data or settings.thumbs)
    given = [typed(one).resolve() for one in (settings.data, settings.thumbs) if one]
    if path.resolve() in given:
        raise UserError(f"{path} holds what was read, not ratings", "name another file: out=ratings.jsonl")
    if settings.export and typed(settings.export).resolve() in (*given, path.resolve()):
        raise UserError(f"{settings.export} is read by this command", "name another file: export=pairs.jsonl")
    return path


def _beside(source: str) -> Path:
    """NAME.ratings.jsonl beside a file; a source that is no single file needs a name."""
    path = typed(source)
    if not path.is_file():
        if source.startswith(("hf:", "builtin:", "-")) or path.exists() or set(source) & set("*?["):
            raise UserError(f"a journal cannot lie beside {source}", "name a file for it: out=ratings.jsonl")
        raise UserError(f"there is no file {source}", f"name a file of {FORM}: dragoman rate completions.jsonl")
    return path.with_name(path.name.split(".")[0] + ".ratings.jsonl")


def _take_thumbs(settings: Settings, criterion: str, rater: str, journal: Journal, show: Show) -> dict[str, int]:
    """Add the thumbs that the journal does not hold yet, so that the same file twice changes nothing."""
    thumbs, said = read_thumbs(settings.thumbs, criterion=criterion, rater=rater, keep_going=settings.keep_going)
    for line in said:
        show.say(line)
    known = {
        (one.rater, one.prompt, one.completion, one.up)
        for given in journal.thumbed(criterion).values()
        for one in given
    }
    fresh = [one for one in thumbs if (one.rater, one.prompt, one.completion, one.up) not in known]
    journal.add(*fresh)
    up = sum(one.up for one in fresh)
    rows = [("up", str(up)), ("down", str(len(fresh) - up)), ("known already", str(len(thumbs) - len(fresh)))]
    show.card(f"thumbs added to {journal.path}", rows)
    return {"up": up, "down": len(fresh) - up, "known": len(thumbs) - len(fresh)}


def _open_page(desk: Desk, rater: str, port: int) -> None:
    """Serve the page until it is stopped."""
    try:
        from dragoman.serve.rating import open_page
    except ImportError as error:
        raise UserError(
            f"the page needs a server, and {error.name} is missing",
            'pip install "dragoman[serve]", or rate in the terminal: dragoman rate --terminal',
        ) from None
    open_page(desk, rater, port)


def _export(settings: Settings, items: list[Item], criterion: str, journal: Journal, show: Show) -> dict[str, Any]:
    """Write the pairs in one step. Raises UserError where nothing was decided."""
    path = typed(settings.export)
    each = settings.votes == "each"
    made = export_votes(items, journal.standing(criterion), criterion, each)
    from_thumbs = export_thumbs(journal.thumbed(criterion), criterion, each)
    rows = made.rows + from_thumbs.rows
    left = {"ties": made.ties + from_thumbs.ties, "alone": from_thumbs.alone, "gone": made.gone}
    if not rows:
        told = ", ".join(f"{name} {count}" for name, count in left.items())
        raise UserError(
            f"no pair is decided by '{criterion}' in {journal.path} ({told})",
            "rate first: dragoman rate completions.jsonl; criterion=WORDS names another criterion",
        )
    durable.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    told_rows = [("pairs", str(len(rows))), ("ties, left out", str(left["ties"]))]
    told_rows += [("thumbs without a counterpart", str(left["alone"]))] if left["alone"] else []
    told_rows += [("rated texts that are not in the data", str(left["gone"]))] if left["gone"] else []
    told_rows += [("next", f"in a project: dragoman train objective=dpo data={path}")]
    show.card(f"{many(len(rows), 'preference')} in {path}", told_rows, "good")
    return {"file": str(path), "pairs": len(rows), **left}
