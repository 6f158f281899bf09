"""What `dragoman check` adds for a model that writes: its tokens and its template looked at, and four rows learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.show import Tick, silent
from dragoman.data.check import Finding
from dragoman.models.source import resolve
from dragoman.nn.templates import template_of
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import read_config
from dragoman.stages.assistants import RAG
from dragoman.stages.check_marks import Failed, Reading, rows_of
from dragoman.stages.check_tokens import inspect_tokens
from dragoman.stages.check_view import view
from dragoman.stages.plugs import plug
from dragoman.stages.prepare import Gathered, counter, inspect
from dragoman.stages.train import aimed_at, planned
from dragoman.stages.writing import objective_of, read_shape, taught, template_at, told_of, writes
from dragoman.train.doors import OBJECTIVES, TUNINGS

__all__ = ["Lookout", "inspect_writing", "inspected", "is_writing", "sideless"]


@dataclass(frozen=True)
class Lookout:
    """What is wanted of a look at a model that writes."""

    objective: str | Mapping[str, Any] = ""
    tuning: str | Mapping[str, Any] = "lora"
    overfit: bool = False
    rows: int = 2


def is_writing(project: Project) -> bool:
    """Whether the project's first candidate learns to answer in its own words."""
    if project.scope.task in ("classify", "tag") or set(project.ladder.rungs) == {RAG}:
        return False
    arch = read_shape(resolve(project.place(project.models.candidates[0])))
    return arch is None or writes(objective_of(project.scope.task, arch.kind))


def inspect_writing(
    project: Project, gathered: Gathered, wanted: Lookout, tick: Tick = silent
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """The findings about tokens, masks and template, and some rows token by token as plain values.

    Only `overfit` imports torch. Raises UserError where a setting is not known or the model is none of our families.
    """
    folder = resolve(project.place(project.models.candidates[0]))
    arch = read_shape(folder)
    if arch is None:
        name = read_config(folder).get("model_type")
        raise UserError(f"models of the kind '{name}' are not trained here", "choose another in models.candidates")
    objective = _objective(wanted.objective, *aimed_at(project, project.models.candidates[0]))
    tuning = TUNINGS.make(*plug(wanted.tuning, "tuning"), "tuning")
    tokenizer = Tokenizer(folder)
    pairs = arch.kind == "encoder-decoder"
    if project.models.template != "auto":
        tokenizer.use_template(template_of(template_at(project), tokenizer.template))
    how = planned(project, {})
    room = min(how.max_length, arch.longest or how.max_length)
    reading = Reading(room, getattr(objective, "turns", "every"), getattr(objective, "cut", "left"), pairs)
    examples = taught(gathered.source.examples, *told_of(project))
    tick(0.3, "looking at tokens, masks and the chat template")
    found = inspect_tokens(tokenizer, examples, reading)
    views: list[dict[str, Any]] = []
    for example in examples[:: max(1, len(examples) // max(wanted.rows, 1))]:
        made = rows_of(tokenizer, example, reading) if len(views) < wanted.rows else []
        if not isinstance(made, Failed):
            views += [view(tokenizer, row) for row in made[-1:]]
    if wanted.overfit and not any(one.severity == "error" for one in found):
        from dragoman.nn.store import load_lm
        from dragoman.stages.check_overfit import overfit

        tick(0.4, "learning four rows by heart")
        short = replace(how, max_length=room)
        found += overfit(load_lm(folder), tokenizer, objective, tuning, examples, short, reading, tick)
    return found, views


def inspected(
    project: Project, gathered: Gathered, tick: Tick = silent, objective: Mapping[str, Any] | None = None
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Every finding about a project, and of a model that writes some rows token by token.

    Raises UserError at an error in the tokens, the mask or the template: what would be learnt is not what is meant.
    """
    found = inspect(project, gathered, counter(project))
    if not is_writing(project):
        return found, []
    more, views = inspect_writing(project, gathered, Lookout(objective or ""), tick)
    wrong = next((one for one in more if one.severity == "error"), None)
    if wrong is not None:
        raise UserError(f"{wrong.name}: {wrong.message}", wrong.hint)
    return [*sideless(found), *more], views


def sideless(found: Sequence[Finding]) -> list[Finding]:
    """Findings about texts, for a model that writes: which end of a long one is lost depends on its objective, and
    answer-truncated tells."""
    return [replace(one, message=one.message.replace(" and lose their end", "")) for one in found]


def _objective(given: str | Mapping[str, Any], usual: str, own: Mapping[str, Any]) -> Any:
    """The objective with its settings: the project's own where no name is given."""
    if not given:
        return OBJECTIVES.make(usual, own, "objective")
    named = given if isinstance(given, str) or "" in given or "name" in given else {"name": usual, **given}
    return OBJECTIVES.make(*plug(named, "objective"), "objective")
