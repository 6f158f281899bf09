"""The shape of words with a tag each: lists of both, or a text with the spans of its entities."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

from dragoman.core.config import nearest
from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, absent, cell, choose_column, facts, found_column, tidy

__all__ = ["Tag", "tags_of"]

WORDS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "ner", "labels", "pos_tags", "upos", "chunk_tags")
TEXTS = ("text", "sentence", "content")
SPANS = ("entities", "spans", "label", "labels", "ner")
UNNAMED = "scope.labels names them in their order, such as O, B-PER, I-PER; or write the names into the data"
SCHEME = re.compile(r"([BIESLUM])-(.+)", re.DOTALL)
SPAN = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Tag:
    """Words and tags in BIO, whatever scheme of these they come in: IOB1, IOBES, BILOU; other tags stay as they are.

    The prompt is the words joined by one space, the answers are one tag a word, `meta["words"]` holds the words.
    """

    tokens: str = "tokens"
    "The column with the list of words."
    tags: str = "tags"
    "The column with the list of tags: names, or numbers that `labels` names in order."
    text: str = ""
    "The column with a text, where there are spans instead of words."
    spans: str = ""
    "The column with the spans of a text: {start, end, label}, or triples of these, counted in characters from 0."
    labels: tuple[str, ...] = ()
    "The tags or the kinds of entity that may occur; empty: any."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("tag",)

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where two columns of these names hold lists, or a text stands beside spans."""
        words, tags = found_column(schema, WORDS), found_column(schema, TAGS)
        if words and tags and schema.columns[words].kinds["list"] and schema.columns[tags].kinds["list"]:
            return 0.97
        return 0.95 if found_column(schema, TEXTS) and _spans_column(schema) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where there is neither a list of words nor a text with spans."""
        said: list[str] = []
        given = wanted.columns
        spans = given.label if _holds_spans(schema, given.label) else "" if given.label else _spans_column(schema)
        if spans and not found_column(schema, WORDS):
            text = choose_column(schema, given.text, TEXTS, "text", said, "text")
            said += [] if given.label else [f"spans = column '{spans}'"]
            return cls("", "", text, spans, wanted.labels, *identify(schema, given, said)), said
        words = choose_column(schema, given.text, WORDS, "words", said, "text")
        tags = choose_column(schema, given.label, TAGS, "tags", said, "label")
        return cls(words, tags, "", "", wanted.labels, *identify(schema, given, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        text, label = (self.text, self.spans) if self.spans else (self.tokens, self.tags)
        return Columns(text=text, label=label, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row.

        Problems: missing-column, wrong-type, empty-text, empty-word, tag-count, unnamed-tag, span-outside,
        span-overlap, label-outside-scope.
        """
        found: list[str] = []
        pairs = self._from_spans(row, found) if self.spans else self._from_lists(row, found)
        if isinstance(pairs, Problem):
            return pairs
        if not pairs:
            return Problem("empty-text", row.place, "there is not one word")
        words = [word for word, _ in pairs]
        tags = _bio([tag for _, tag in pairs], found)
        strange = next((tag for tag in tags if not self._known(tag)), None)
        if strange is not None:
            reason = f"the tag '{strange}' is not one of the scope; {nearest(strange, self.labels)}"
            return Problem("label-outside-scope", row.place, reason, "scope.labels names the kinds of entity")
        meta = {**facts(row, self.used()), "words": words}
        return Example((Message("user", " ".join(words)),), tuple(tags), meta=meta), tuple(dict.fromkeys(found))

    def _known(self, tag: str) -> bool:
        return not self.labels or tag == "O" or tag in self.labels or tag[2:] in self.labels

    def _from_lists(self, row: Row, found: list[str]) -> list[tuple[str, str]] | Problem:
        words, tags = row.values.get(self.tokens), row.values.get(self.tags)
        for name, value in ((self.tokens, words), (self.tags, tags)):
            if value is None:
                return absent(row, name)
            if not isinstance(value, list | tuple):
                reason = f"the column '{name}' holds a {type(value).__name__}, not a list"
                return Problem("wrong-type", row.place, reason)
        if not isinstance(words, list | tuple) or not isinstance(tags, list | tuple):
            raise TypeError("looked at above")
        if len(words) != len(tags):
            reason = f"{len(words)} words and {len(tags)} tags; there must be one tag a word"
            return Problem("tag-count", row.place, reason)
        pairs = []
        for number, (word, tag) in enumerate(zip(words, tags, strict=True), start=1):
            named = self._name(tag)
            if not isinstance(word, str) or named is None:
                reason = (
                    f"word {number} is {word!r:.40} with the tag {tag!r:.40}: a text and a name or number are meant"
                )
                return Problem("wrong-type", row.place, reason)
            if isinstance(tag, int) and not self.labels:
                reason = f"word {number} has the tag {tag}, and nothing says what that number stands for"
                return Problem("unnamed-tag", row.place, reason, UNNAMED)
            plain = tidy(word, found)
            if plain:
                parts = _parted(plain, named)
                found += ["blank-in-word"] * (len(parts) > 1)
                pairs += parts
            elif named == "O":
                found.append("blank-word")
            else:
                return Problem("empty-word", row.place, f"word {number} is blank and has the tag {named}")
        return pairs

    def _name(self, tag: Any) -> str | None:
        if isinstance(tag, bool):
            return None
        if isinstance(tag, int):
            inside = 0 <= tag < len(self.labels)
            return self.labels[tag] if inside else str(tag)
        return tag.strip() or None if isinstance(tag, str) else None

    def _from_spans(self, row: Row, found: list[str]) -> list[tuple[str, str]] | Problem:
        text = cell(row, self.text)
        if isinstance(text, Problem):
            return text
        value = row.values.get(self.spans)
        spans: list[SPAN] = []
        for one in value if isinstance(value, list | tuple) else []:
            span = _span(one)
            if span is None:
                return Problem("wrong-type", row.place, f"{one!r:.60} is no span: {{start, end, label}} is meant")
            start, end, label = span
            if not 0 <= start < end <= len(text):
                reason = f"the span {start} to {end} ({label}) is not inside a text of {len(text)} characters"
                return Problem("span-outside", row.place, reason)
            spans.append(span)
        spans.sort()
        for (_, end, label), (start, _, other) in pairwise(spans):
            if start < end:
                reason = f"two spans overlap at character {start} ({label} and {other})"
                return Problem("span-overlap", row.place, reason, "keep one of the two")
        return _tagged(text, spans, found)


def tags_of(named: Sequence[str], held: Sequence[str]) -> tuple[str, ...]:
    """The tags of a scope that names tags or kinds of entity, over data that hold these tags.

    A kind stands for B- and I- of it where the data have such prefixes; otherwise what is named is a tag itself. Tags
    that only the data have are kept.
    """
    if not any(SCHEME.fullmatch(tag) for tag in held):
        return tuple(dict.fromkeys([*named, *held]))
    kinds = [part[2] if (part := SCHEME.fullmatch(name)) else name for name in named if name != "O"]
    both = [f"{letter}-{kind}" for kind in kinds for letter in "BI"]
    return tuple(dict.fromkeys(["O", *both, *held]))


def _parted(word: str, tag: str) -> list[tuple[str, str]]:
    """A word with blanks inside as words of their own: the words of a row are joined by blanks, and would not be found
    again. What begins or ends an entity does so at the first or the last of them."""
    pieces, part = word.split(), SCHEME.fullmatch(tag)
    if part is None or len(pieces) == 1:
        return [(piece, tag) for piece in pieces]
    first, last = "B" if part[1] in "BSU" else "I", "E" if part[1] in "SUEL" else "I"
    letters = [first, *"I" * (len(pieces) - 2), last]
    return [(piece, f"{letter}-{part[2]}") for piece, letter in zip(pieces, letters, strict=True)]


def _spans_column(schema: Schema) -> str:
    return next((name for name in (found_column(schema, (one,)) for one in SPANS) if _holds_spans(schema, name)), "")


def _holds_spans(schema: Schema, name: str) -> bool:
    """Whether every filled cell of the first rows is a list of spans, and one is filled."""
    cells = [row[name] for row in schema.samples if isinstance(row.get(name), list) and row[name]] if name else []
    return bool(cells) and all(_span(one) is not None for held in cells for one in held)


def _span(value: Any) -> SPAN | None:
    if isinstance(value, Mapping):
        start, end = value.get("start", value.get("start_offset")), value.get("end", value.get("end_offset"))
        label = value.get("label", value.get("type", value.get("entity")))
    elif isinstance(value, list | tuple) and len(value) == 3:
        start, end, label = value
    else:
        return None
    numbers = all(isinstance(one, int) and not isinstance(one, bool) for one in (start, end))
    return (start, end, label.strip()) if numbers and isinstance(label, str) and label.strip() else None


def _tagged(text: str, spans: Sequence[SPAN], found: list[str]) -> list[tuple[str, str]]:
    """The words and punctuation marks of a text with their tags; a word is cut where a span begins or ends."""
    borders = {place for start, end, _ in spans for place in (start, end)}
    pairs, at = [], 0
    for begin, stop in _pieces(text):
        cuts = [begin, *sorted(place for place in borders if begin < place < stop), stop]
        found += ["span-inside-word"] * (len(cuts) > 2)
        for start, end in pairwise(cuts):
            while at < len(spans) and spans[at][1] <= start:
                at += 1
            word = tidy(text[start:end], found)
            inside = at < len(spans) and spans[at][0] <= start
            first = inside and not text[spans[at][0] : start].strip()
            pairs.append((word, f"{'B' if first else 'I'}-{spans[at][2]}" if inside else "O"))
    return pairs


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Where each run of letters, digits and their marks lies in a text, and each other character that is no space."""
    begin = 0
    for place, letter in enumerate(text):
        if letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M":
            continue  # a vowel sign of Hindi or Arabic is no letter to isalnum, and belongs to the word
        if begin < place:
            yield begin, place
        if not letter.isspace():
            yield place, place + 1
        begin = place + 1
    if begin < len(text):
        yield begin, len(text)


def _bio(tags: Sequence[str], found: list[str]) -> list[str]:
    """The tags in BIO (Ramshaw and Marcus, 1995); tags that are of no such scheme stay as they are."""
    parts = [SCHEME.fullmatch(tag) for tag in tags]
    if any(part is None and tag != "O" for part, tag in zip(parts, tags, strict=True)):
        return list(tags)
    made, before = [], ""
    for part in parts:
        if part is None:
            made.append("O")
            before = ""
            continue
        begins = part[1] in "BSU" or before != part[2]
        made.append(f"{'B' if begins else 'I'}-{part[2]}")
        before = "" if part[1] in "SUEL" else part[2]
    if made != list(tags):
        found.append("bio-scheme")
    return made
