"""Looks in the documents: the best passages for some words."""

from dragoman.app.passages import Find, named
from dragoman.app.tools.tool import Argument, Tool

__all__ = ["search"]

SHOWN = 600  # characters of a passage


def search(find: Find, k: int = 3, access: frozenset[str] = frozenset()) -> Tool:
    """The tool over an index."""

    def look(question: str) -> str:
        hits = find(question, k, access)
        return "\n".join(f"{named(hit.chunk)}: {hit.chunk.text[:SHOWN]}" for hit in hits) or "nothing was found"

    about = "looks for passages in the documents"
    return Tool("search", about, (Argument("question"),), lambda given: look(given["question"]), outside=True)
