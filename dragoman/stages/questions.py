"""Questions for an index: a person's file, or one that is made from the documents and kept for review."""

from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.core.show import Tick, many, silent
from dragoman.evals.made_questions import Made, make_by_rule
from dragoman.evals.questions import Question, read_questions, write_questions
from dragoman.evals.written_questions import make_by_model
from dragoman.stages.shelf import Shelf

__all__ = ["MAKE", "check_sources", "make_questions", "origin_of", "read_for"]

MAKE = "make"


def make_questions(shelf: Shelf, index: str, out: Path, n: int, writer: str = "", tick: Tick = silent) -> Made:
    """Make questions from the documents of an index and write them to a file, each marked as generated.

    Rules make them, or the model that `writer` names; `index` is what a person calls the index. Raises UserError where
    the file is there already: a person may have read and mended it.
    """
    if out.exists():
        raise UserError(
            f"{out} is there already, and may have been reviewed",
            f"measure on it: dragoman evaluate {index} {out}, or write another file: out=NAME.jsonl",
        )
    if n < 1:
        raise UserError(f"{n} questions are none", "say n=50")
    chunks = list(shelf.store.scan())
    if not chunks:
        raise UserError(f"{index} holds no document", "put some in: dragoman index DOCUMENTS")
    if writer:
        from dragoman.models.open import open_lm

        def progress(count: int) -> None:
            tick(min(count / n, 1.0), many(count, "question"))

        made = make_by_model(chunks, open_lm(writer), writer, n, progress=progress)
    else:
        made = make_by_rule(chunks, n)
    write_questions(out, made.questions)
    return made


def check_sources(questions: tuple[Question, ...], shelf: Shelf, path: Path) -> tuple[str, ...]:
    """The relevant sources that the index does not hold: what they hold counts as not found.

    Raises UserError where it holds none of them: then the file speaks of other documents.
    """
    held = shelf.store.sources().keys()
    named = dict.fromkeys(place.source for one in questions for place in one.relevant)
    absent = tuple(name for name in named if name not in held)
    if named and len(absent) == len(named):
        example = next(iter(sorted(held)), "none")
        raise UserError(
            f"{path} names no document of the index: '{absent[0]}' is one of the first, '{example}' of the second",
            "name sources as dragoman index lists them",
        )
    return absent


def origin_of(questions: tuple[Question, ...]) -> str:
    """What a reader of figures must know of where the questions are from; empty where people asked all of them."""
    makers = sorted({one.by for one in questions if one.by})
    if not makers:
        return ""
    count = sum(bool(one.by) for one in questions)
    who = " and ".join("by rule" if maker == "rule" else f"by {maker}" for maker in makers)
    which = "all" if count == len(questions) else f"{count:,}"
    return f"{which} generated from the documents {who}: they share words with them, so figures flatter"


def read_for(shelf: Shelf, path: Path) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions of a file, and the relevant sources that the index does not hold."""
    questions = read_questions(path)
    return questions, check_sources(questions, shelf, path)
