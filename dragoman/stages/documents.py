"""What a project says of the documents it answers from, checked before any work."""

from dataclasses import fields

from dragoman.core.errors import UserError
from dragoman.core.project import Documents, Project
from dragoman.stages.answering import Answering
from dragoman.stages.assistants import RAG

__all__ = ["answering_of", "check_documents"]


def check_documents(project: Project) -> None:
    """Raise UserError where a project has a rag rung and no documents, or a task that is not answered from any."""
    if RAG not in project.ladder.rungs:
        return
    if not project.documents.source:
        raise UserError("the rag rung has no documents", 'name them: documents.source="documents/"')
    if project.scope.task not in ("chat", "answer", "write"):
        problem = f"documents answer questions, and the task is {project.scope.task}"
        raise UserError(problem, "leave rag out of ladder.rungs, or say scope.task=chat")
    answering_of(project.documents)


def answering_of(documents: Documents) -> Answering:
    """How questions are answered, of the project's settings."""
    said = {one.name: getattr(documents, one.name) for one in fields(Answering) if hasattr(documents, one.name)}
    if documents.tools and documents.threshold == Documents().threshold:  # nobody said it
        said["threshold"] = None
    return Answering(**said)
