"""Opens a project with what only the stages know checked too, so that a mistake is answered before any work."""

import shlex
from collections.abc import Sequence

from dragoman.core.config import build, nearest
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards
from dragoman.core.project import Project, load, locate
from dragoman.stages.alignment import check_alignment
from dragoman.stages.assistants import PROMPTED, RAG, RUNGS
from dragoman.stages.documents import check_documents
from dragoman.stages.writing import model_kind
from dragoman.train.doors import How

__all__ = ["check_around", "command", "settled"]


def command(verb: str, project: str) -> str:
    """A verb's command for the same project from where the person stands."""
    return shlex.join(["dragoman", verb, *([project] if project else [])])


def settled(word: str, words: Sequence[str]) -> Project:
    """The project a person means by `word`, with `section.key=value` words laid over it.

    Raises UserError at the first setting, rung or setting of the training loop that is not known or out of range, and
    where a limit is asked for that no rung of the project can show.
    """
    project = load(locate(word), words)
    if not project.ladder.rungs:
        raise UserError("ladder.rungs is empty", 'name at least one: ladder.rungs=["head"]')
    for rung in project.ladder.rungs:
        if rung not in RUNGS:
            raise UserError(f"there is no rung named '{rung}'", nearest(rung, RUNGS))
        if project.ladder.rungs.count(rung) > 1:
            raise UserError(f"ladder.rungs names '{rung}' twice", "name each rung once: ladder.rungs")
    build(How, {"max_length": project.models.max_length, **project.train}, "train")
    check_alignment(project)
    check_documents(project)
    check_around(project)
    _measurable(project)
    return project


def check_around(project: Project) -> None:
    """Raise UserError where a prompt or guards are asked for that cannot be, or of an assistant that has no use for
    them."""
    if not project.prompt.file and project.guards == Guards():
        return
    from dragoman.stages.guarded import identity_of

    identity_of(project)
    task, rungs = project.scope.task, set(project.ladder.rungs)
    if task in ("classify", "tag"):
        said = f"a prompt and guards stand around what writes or answers from documents, and the task is {task}"
        raise UserError(said, "take [prompt] and [guards] out of the project file")
    if rungs == {RAG}:
        if project.prompt.file and not project.documents.model:
            raise UserError("no model reads the prompt: the documents are quoted", "name one: documents.model=...")
        return
    from dragoman.models.source import resolve

    for model in project.models.candidates:
        if model_kind(resolve(project.place(model))) == "encoder":
            said = f"{model} cuts answers out of a text and is told nothing, so a prompt and guards do nothing for it"
            raise UserError(said, 'name a model that writes, or take other rungs: ladder.rungs=["rag"]')


def _measurable(project: Project) -> None:
    """Raise UserError where forgetting is limited, and the model is of a kind of which it is not measured."""
    trained = not set(project.ladder.rungs) <= {*PROMPTED, RAG}
    task = project.scope.task
    if task == "classify" or not trained or all(one.metric != "forgetting" for one in project.scope.criteria()):
        return
    from dragoman.models.source import resolve

    for model in project.models.candidates:
        kind = "encoder" if task == "tag" else model_kind(resolve(project.place(model)))
        if kind != "decoder":
            raise UserError(
                f"what a model forgets is not measured where an {kind} learns to {task}",
                "take forgetting out of scope.limits: it is measured of encoders that classify and of decoders",
            )
