"""Whatever a model prefers, a finished answer obeys its constraint: random walks over the allowed tokens."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core.sampling import Sampling
from dragoman.nn.constraint import Grammar
from dragoman.nn.tokenizer import Tokenizer

WALKS = 200
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "mood": {"enum": ["glad", "sad", None]},
        "home": {
            "type": "object",
            "properties": {"street": {"type": "string", "pattern": "^[A-Z][a-z]{2,6}$"}, "open": {"type": "boolean"}},
            "required": ["street"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "home"],
    "additionalProperties": False,
}
NUMBERS = {"type": "array", "items": {"type": "number", "minimum": -2.5, "maximum": 99}, "minItems": 1, "maxItems": 3}
TREE = {
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"é": {"type": "boolean"}, "k": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["é"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/tree",
}
EXPRESSIONS = (
    "(yes|no|maybe), [a-z]{2,5}",
    r"\d{4}-\d{2} (\w+ ){1,2}[^\s\d]",
    "[à-ü]{2}(…|💡)?",
    "(Once|Lily) .{0,30}[.!]",
)
CHOICES = ("Once upon a time", "Once", "the end.", "the", "Tim was sad", "…é💡", "a\nb")


def walk(tokenizer: Tokenizer, grammar: Grammar, random: np.random.Generator) -> str | None:
    """One answer drawn evenly among the allowed tokens, which hurries to its end after 40; None if it finds none."""
    state, ids = grammar.matcher(), list[int]()
    pieces = tokenizer.pieces(range(tokenizer.size))
    closing = [token for token, piece in enumerate(pieces) if piece in (b'"', b"}", b"]")]
    while len(ids) < 400:
        mask = state.allowed().numpy()
        may = np.flatnonzero(mask)
        late = [token for token in (*tokenizer.eos_ids, *closing) if mask[token]] if len(ids) > 40 else []
        token = int(random.choice(late[:1] if late and random.random() < 0.7 else may))
        state.push(token)
        if token in tokenizer.eos_ids:
            return tokenizer.decode(ids)
        ids.append(token)
        if state.done:
            return tokenizer.decode(ids)
    return None


def answers(how: Sampling, tokenizer: Tokenizer) -> list[str]:
    """The finished answers of all walks; nearly all of them finish."""
    grammar, random = Grammar.of(how, tokenizer), np.random.default_rng(0)
    assert grammar is not None
    found = [text for _ in range(WALKS) if (text := walk(tokenizer, grammar, random)) is not None]
    assert len(found) >= 0.95 * WALKS
    return found


@pytest.fixture(scope="module")
def tokenizer(shared_data: Path) -> Tokenizer:
    """The 512 tokens of stories260K, the single bytes among them."""
    return Tokenizer(shared_data / "models/stories260K")


def is_person(found: Any) -> bool:
    home = found["home"]
    return (
        {"name", "home"} <= set(found) <= {"name", "age", "mood", "home"}
        and isinstance(found["name"], str)
        and 1 <= len(found["name"]) <= 12
        and type(found.get("age", 0)) is int
        and 0 <= found.get("age", 0) <= 120
        and found.get("mood") in ("glad", "sad", None)
        and {"street"} <= set(home) <= {"street", "open"}
        and re.fullmatch("[A-Z][a-z]{2,6}", home["street"]) is not None
        and isinstance(home.get("open", True), bool)
    )


def are_numbers(found: Any) -> bool:
    return 1 <= len(found) <= 3 and all(type(one) in (int, float) and -2.5 <= one <= 99 for one in found)


def is_tree(found: Any) -> bool:
    return {"é"} <= set(found) <= {"é", "k"} and type(found["é"]) is bool and all(map(is_tree, found.get("k", [])))


@pytest.mark.parametrize(
    ("schema", "holds"),
    [(PERSON, is_person), (NUMBERS, are_numbers), (TREE, is_tree)],
    ids=["person", "numbers", "tree"],
)
def test_every_answer_obeys_its_schema(schema: dict[str, Any], holds: Any, tokenizer: Tokenizer) -> None:
    found = answers(Sampling(json_schema=json.dumps(schema)), tokenizer)
    assert not [text for text in found if not holds(json.loads(text))]
    assert len(set(found)) > 50


@pytest.mark.parametrize("regex", EXPRESSIONS)
def test_every_answer_matches_its_expression(regex: str, tokenizer: Tokenizer) -> None:
    found = answers(Sampling(regex=regex), tokenizer)
    assert not [text for text in found if not re.fullmatch(regex, text, re.ASCII)]
    assert len(set(found)) > 20


def test_every_answer_is_a_choice_and_every_choice_comes(tokenizer: Tokenizer) -> None:
    assert set(answers(Sampling(choices=CHOICES), tokenizer)) == set(CHOICES)
