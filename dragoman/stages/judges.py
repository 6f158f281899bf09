"""The rewards that a project names: what each is, for the inputs of runs, and opened, from where the project lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.core import durable
from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.types import Example
from dragoman.evals.hacking import Alarm, untrusted
from dragoman.evals.rated import Rates

if TYPE_CHECKING:
    from dragoman.models.rewards import Named

__all__ = ["Judges", "check_named", "doubt", "identity", "judges_of", "open_named"]

RULES = ("count", "length", "regex", "python")  # as models.rules has them, which is not imported for a name


@dataclass(frozen=True)
class Judges:
    """Rewards by name."""

    project: Project
    specs: Mapping[str, str]

    def identities(self) -> dict[str, str]:
        """What each is, for the settings of an evaluation."""
        return {name: identity(self.project, spec) for name, spec in self.specs.items()}

    def rate(self, examples: Sequence[Example], answers: Sequence[str]) -> Rates:
        """The scores of the answers, and of the examples' own. Raises UserError."""
        prompts = [one.prompt for one in examples]
        own = [one.answers[0] if one.answers else "" for one in examples]
        found: dict[str, Sequence[Sequence[float]]] = {}
        for name, spec in self.specs.items():
            reward = open_named(self.project, spec)
            scored = (reward.rate(prompts, answers), reward.rate(prompts, own))
            found[name] = [[float(ours), float(theirs)] for ours, theirs in zip(*scored, strict=True)]
        return found


def judges_of(project: Project) -> Judges:
    """The judges that the scope names."""
    return Judges(project, project.scope.judges)


def open_named(project: Project, spec: str) -> Reward:
    """The reward of that name; paths start at the project file, runs are the project's. Raises UserError."""
    from dragoman.models.rewards import open_reward

    return open_reward(str(_placed(project, spec)), runs=project.runs_folder)


def check_named(project: Project, spec: str) -> None:
    """Raise UserError where there is no such reward: a rule is opened, of a model only its files are looked for."""
    if _placed(project, spec).kind in RULES:
        open_named(project, spec)
    identity(project, spec)


def identity(project: Project, spec: str) -> str:
    """The spec with what its model or file holds, so that a run is found again for the same reward alone.

    Raises UserError where there is no such model.
    """
    from dragoman.models.source import fingerprint, resolve

    named = _placed(project, spec)
    if named.kind == "python" and Path(named.where).is_file():
        return str(replace(named, where=durable.digest(Path(named.where))))
    if named.kind == "python":
        open_named(project, spec)  # says that there is none
    if named.kind in RULES:
        return spec
    return str(replace(named, where=fingerprint(resolve(named.folder(project.runs_folder)))))


def doubt(project: Project, spec: str) -> Alarm | None:
    """The alarm of a reward that is a run's model and was no better on its validation than a rule of thumb."""
    named = _placed(project, spec)
    if named.kind:
        return None
    try:
        scorer = Run.open(Path(named.folder(project.runs_folder)).parent).results.get("scorer")
    except UserError:
        return None  # a model from elsewhere, of which nothing is known
    if not scorer:
        return None
    return untrusted(scorer["accuracy"], {name: one["accuracy"]["value"] for name, one in scorer["baselines"].items()})


def _placed(project: Project, spec: str) -> "Named":
    """The reward with its path as seen from here."""
    from dragoman.models.rewards import Named

    named = Named.of(spec)
    near = (project.root / named.where).exists() and (named.kind == "python" or named.kind not in RULES)
    return replace(named, where=project.place(named.where)) if near else named
