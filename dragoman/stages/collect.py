"""Turn what people thought of served answers into rows of the project: reviewed first, masked, and each once.

Corrected and down-voted requests of the journal are shown one by one. What is accepted becomes an example, a preference
or, for half of all questions, a case that `dragoman run` measures and never learns from. Each decision is on the disk
before the next is asked; the same command goes on, and adds nothing twice.
"""

import contextlib
import getpass
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.project import Project, load, locate
from dragoman.core.runs import all_runs
from dragoman.core.show import Show
from dragoman.data.collected import FOLDER, Review, add_review, read_reviews, write_collected
from dragoman.serve.journal_read import walk
from dragoman.stages.collect_items import Item, Wanted, items_of, moment, unsealed
from dragoman.stages.collect_review import decided
from dragoman.stages.settled import command

__all__ = ["JOURNAL", "PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("project",)
SECTIONS = False
JOURNAL = "journal.sqlite"
"the journal's name, beside the runs, where none is given"
TAKE = ("down", "up", "refused", "unsure")
DAY = 86_400.0


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman collect`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    journal: str = ""
    "The file of the journal; empty is journal.sqlite beside the runs."
    take: str = "down"
    "Which requests: down (a thumb down or a correction), up, refused, and unsure labels, with commas."
    accept: Literal["ask", "all"] = "ask"
    "Whether each is shown and decided on, or all are taken as they are, for scripts."
    by: str = ""
    "Who reviews, in your own word; empty is the name you are logged in by."
    days: float = 0
    "Only requests of so many days; 0 takes all that the journal holds."
    unsure: float = 0.6
    "The probability below which a label is unsure."
    mask: bool = True
    "Whether what looks personal (e-mails, numbers, secrets) is masked, where the journal has not done so."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Show what is to be reviewed, keep what is decided, and make the project's rows anew."""
    project = load(locate(settings.project))
    _check(settings, project)
    folder = project.root / FOLDER
    labelled = project.scope.task == "classify"
    labels = _labels(project)
    with durable.lock(folder):
        done = read_reviews(folder)
        items, left = _items(settings, project, labels, done)
        taken: Counter[str] = Counter()
        for review in _decided(settings, items, labels, labelled, show):
            add_review(folder, review)
            taken[review.decision if review.right or review.decision == "skip" else "wrong"] += 1
        made = write_collected(folder, labelled)
    left_out = {"not decided yet": len(items) - taken.total(), **left}
    left_out = {name: count for name, count in left_out.items() if count}
    counts = {"examples": len(made.examples), "preferences": len(made.preferences), "cases": len(made.cases)}
    told = f"{taken['accept']} accepted, {taken['skip']} skipped, {taken['wrong']} wrong without a right answer"
    lines = [("reviewed now", told)]
    lines += [("left out", ", ".join(f"{count} {name}" for name, count in left_out.items()) or "nothing")]
    lines += [(name, f"{count} in {folder / f'{name}.jsonl'}") for name, count in counts.items()]
    again = command("run", settings.project)
    lines += [("then", f"{again} learns from the examples and is measured on the cases")]
    show.card("collected", lines)
    reviewed = {"accepted": taken["accept"], "skipped": taken["skip"], "wrong": taken["wrong"]}
    facts = {**reviewed, "left_out": left_out, **counts}
    show.result({"folder": str(folder), **facts})
    return 0


def _check(settings: Settings, project: Project) -> None:
    """Raise UserError where there is nothing to learn from such requests, or a word names none."""
    if project.scope.task == "tag":
        raise UserError("tags of words are not collected", "choose a project whose task is classify, chat or write")
    for name in _taken(settings):
        if name not in TAKE:
            raise UserError(f"'{name}' names no requests", f"take={','.join(TAKE)} names all")
    if not _taken(settings):
        raise UserError("take names no requests", "say take=down")
    if settings.days < 0 or not 0 <= settings.unsure <= 1:
        raise UserError("days or unsure is out of range", "days=7 is a week, and unsure=0.6 a probability")


def _taken(settings: Settings) -> tuple[str, ...]:
    return tuple(name.strip() for name in settings.take.split(",") if name.strip())


def _labels(project: Project) -> tuple[str, ...]:
    """The labels of the scope, or those that the newest preparation found; none where there was none yet."""
    if project.scope.labels or project.scope.task != "classify":
        return tuple(project.scope.labels)
    done = [one for one in all_runs(project.runs_folder) if one.verb == "prepare" and one.finished]
    return tuple(done[-1].results["labels"]) if done else ()


def _items(
    settings: Settings, project: Project, labels: tuple[str, ...], done: Sequence[Review]
) -> tuple[list[Item], Counter[str]]:
    """What is to be reviewed of the journal, and what was left out by reason."""
    path = typed(settings.journal) if settings.journal else project.runs_folder / JOURNAL
    wanted = Wanted(
        project.scope.name,
        project.scope.task == "classify",
        labels,
        _taken(settings),
        settings.unsure,
        settings.mask,
    )
    since = time.time() - settings.days * DAY if settings.days else 0.0
    only = "down" if _taken(settings) == ("down",) else ""
    found, left = items_of(walk(path, since=since, only=only), wanted, done)
    free = unsealed(found, project.runs_folder)
    if len(free) < len(found):
        left["in the sealed test"] = len(found) - len(free)
    return free, left


def _decided(
    settings: Settings, items: Sequence[Item], labels: Sequence[str], labelled: bool, show: Show
) -> Iterator[Review]:
    """Each review, signed, as it is decided."""
    by = settings.by or _me()
    if settings.accept == "all":
        reviews = iter([item.review for item in items])
        by = f"{by} (accept=all)"
    else:
        reviews = decided(items, labels, labelled, show) if items else iter(())
    for review in reviews:
        yield replace(review, by=by, reviewed=moment(time.time()))


def _me() -> str:
    """The name a person is logged in by."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "me"
