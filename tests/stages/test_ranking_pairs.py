"""Pairs of passages for a model that rates them: what is taken for no answer, and what is left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Chunk
from dragoman.core.errors import UserError
from dragoman.evals.questions import Place, Question
from dragoman.rag.store import SqliteStore
from dragoman.stages.ranking_pairs import ranking_pairs
from dragoman.stages.shelf import Facts, Shelf

TEXTS = {
    "tower": "The tower of Paris is 330 metres tall.",
    "copy": "the tower of paris is 330 metres tall!",
    "height": "A tower in Blackpool that is tall too, by 158 metres.",
    "other": "This tower is said to be 330 metres in all, to its tip.",
    "bees": "Bees live in a hive.",
    "near": "How tall the tower is: very tall indeed.",
}
COSINES = {"tower": 0.8, "copy": 0.5, "height": 0.5, "other": 0.5, "bees": 0.1, "near": 0.79}
ASKED = "How tall is the tower?"


class Seeing:
    """Gives each text a vector whose cosine with the question is known."""

    max_length = 64

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        known = {text: COSINES[name] for name, text in TEXTS.items()} | {ASKED: 1.0}
        cosines = np.array([known.get(text, 0.0) for text in texts], dtype=np.float32)
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)

    def count(self, text: str) -> int:
        return len(text.split())


def shelf(path: Path, seeing: bool) -> Shelf:
    """An index of the texts, with vectors or without."""
    embedder: Any = Seeing() if seeing else None
    store = SqliteStore(path, model="seeing" if seeing else "", language="en")
    for name, text in TEXTS.items():
        vectors = embedder.embed([text]) if embedder else None
        store.apply(Batch(name, "1", "", (Chunk(name, 0, 0, len(text), text),), vectors))
    return Shelf(store, Facts((), "", 200, 0.0, 0), embedder)


def rejected(rows: Sequence[Any]) -> list[str]:
    """The names of the passages that are no answer."""
    return sorted(name for row in rows for name, text in TEXTS.items() if row["rejected"] == text)


def test_what_may_be_an_answer_is_not_taken_for_none(tmp_path: Path) -> None:
    """Near by its vector, the answer's words, and the same text: each is left out for its own reason."""
    asked = [Question("q", ASKED, ("330 metres",), (Place("tower"),))]
    with_vectors = ranking_pairs(asked, shelf(tmp_path / "a.sqlite", True))
    assert rejected(with_vectors.rows) == ["height"]
    assert with_vectors.left_out == {"passages that may answer too": 1, "passages that hold the answer's words": 2}
    blind = ranking_pairs(asked, shelf(tmp_path / "b.sqlite", False))
    assert rejected(blind.rows) == ["height", "near"]
    unsaid = ranking_pairs([Question("q", ASKED, (), (Place("tower"),))], shelf(tmp_path / "c.sqlite", False))
    assert rejected(unsaid.rows) == ["height", "near", "other"]
    assert unsaid.left_out == {"passages that nearly are the answer": 1}


def test_rows_are_pairs_bound_to_their_question(tmp_path: Path) -> None:
    index = shelf(tmp_path / "a.sqlite", False)
    span = Place("tower", 4, 9)
    asked = [
        Question("q", ASKED, (), (span, Place("copy")), by="rule"),
        Question("none", "Who won the cup?"),
        Question("gone", "What is gone?", (), (Place("gone"),)),
    ]
    made = ranking_pairs(asked, index, negatives=1)
    assert [row["chosen"] for row in made.rows] == [TEXTS["tower"], TEXTS["copy"]]
    assert len({row["id"] for row in made.rows}) == 2 and made.questions == 1
    for row in made.rows:
        assert (row["prompt"], row["group"], row["generated"], row["by"]) == (ASKED, "q", True, "rule")
        assert row["rejected"] not in (TEXTS["tower"], TEXTS["copy"])
    assert made.left_out["questions without a passage that answers them"] == 1
    assert made.left_out["questions whose passages the index does not hold"] == 1
    assert "generated" not in ranking_pairs([Question("q", ASKED, (), (span,))], index).rows[0]


def test_of_a_long_source_the_nearest_piece_is_the_answer(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.sqlite", language="en")
    pieces = ("Bees are small.", "The tower is 330 metres tall.", "Towers and towers.")
    store.apply(Batch("long", "1", "", tuple(Chunk("long", row, 0, 9, text) for row, text in enumerate(pieces))))
    store.apply(Batch("b", "1", "", (Chunk("b", 0, 0, 9, "A tall tower of cards."),)))
    made = ranking_pairs([Question("q", ASKED, (), (Place("long"),))], Shelf(store, Facts((), "", 9, 0.0, 0), None))
    assert [(row["chosen"], row["rejected"]) for row in made.rows] == [(pieces[1], "A tall tower of cards.")]


def test_nothing_to_learn_is_one_message(tmp_path: Path) -> None:
    index = shelf(tmp_path / "a.sqlite", False)
    with pytest.raises(UserError, match="no pair was found: 1 questions without"):
        ranking_pairs([Question("q", "Who won the cup?")], index)
    with pytest.raises(UserError, match="0 negatives"):
        ranking_pairs([Question("q", ASKED, (), (Place("tower"),))], index, negatives=0)
