"""Look for everything that would spoil the work, before any work is done.

Each finding has a name, a count, an offending row with its place, and what mends it. Exit code 2 when one is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.core.config import dump
from dragoman.core.show import Show, many
from dragoman.data.check import ORDER, Finding
from dragoman.evals.task import asked, check_names
from dragoman.stages.prepare import counter, gather, inspect, labels_of
from dragoman.stages.settled import command, settled

__all__ = ["PLACES", "SECTIONS", "Settings", "run", "tell"]

PLACES = ("project",)
SECTIONS = True


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman check`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    overfit: bool = False
    """For a model that writes: learn four rows by heart and see that it answers and stops. It takes a minute and
    more."""
    objective: str | Mapping[str, Any] = ""
    "By what a model that writes is to learn, such as objective.turns=last; empty takes what its kind learns by."
    tuning: str | Mapping[str, Any] = "lora"
    "Which weights learn the four rows: lora, full and others."
    tokens: int = 2
    "How many rows are shown token by token, of a model that writes."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Check a project and show the findings."""
    from dragoman.stages.check_view import draw
    from dragoman.stages.check_writing import Lookout, inspect_writing, is_writing, sideless

    project = settled(settings.project, words)
    with show.board(project.scope.name) as board, board.step("check") as tick:
        gathered = gather(project, tick)
        labels = labels_of(project, gathered)
        names = asked(project.scope)
        check_names(names, labels, project.scope.multi_label, project.scope.task)
        writing = is_writing(project)
        tick(0.2, "looking for what would spoil the work")
        found = inspect(project, gathered, counter(project))
        views: list[dict[str, Any]] = []
        if writing:
            lookout = Lookout(settings.objective, settings.tuning, settings.overfit, settings.tokens)
            more, views = inspect_writing(project, gathered, lookout, tick)
            found = sorted([*sideless(found), *more], key=lambda one: ORDER[one.severity])
        counts = {"row": len(gathered.source.examples), "label": len(labels), "finding": len(found)}
        tick(1.0, ", ".join(many(count, noun) for noun, count in counts.items() if count or noun != "label"))
    draw(views, show)
    tell(found, show)
    errors = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    then = command("run", settings.project)
    state = f"{many(errors, 'error')} to mend first" if errors else f"nothing stands in the way: {then}"
    show.card(
        "check",
        [("errors", str(errors)), ("warnings", str(warnings)), ("then", state)],
        mark="bad" if errors else "good",
    )
    told = {"errors": errors, "warnings": warnings, "findings": [dump(one) for one in found]}
    show.result({**told, **({"tokens": views} if writing else {})})
    return 2 if errors else 0


def tell(found: Sequence[Finding], show: Show) -> None:
    """Show findings with their sample and what mends them."""
    rows = []
    for one in found:
        sample = f"\n{one.sample.place}: {one.sample.text}" if one.sample and one.sample.text else ""
        rows.append((one.severity, one.name, f"{one.message}{sample}", one.hint))
    if rows:
        show.table("findings", ("", "name", "what", "what mends it"), rows)
