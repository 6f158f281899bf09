"""Finds out which column holds the text and which the label, from all rows; every guess is said with its rivals."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.data.problems import Row

__all__ = ["LABEL_NAMES", "PAIRS", "TEXT_NAMES", "Column", "Schema", "choose", "identify", "known", "listed"]

# In the order of preference: the names that public data sets use.
TEXT_NAMES = (
    "text", "sentence", "question", "review", "content", "document", "utterance", "message", "body", "query", "comment",
    "tweet", "headline", "title", "description", "input", "prompt", "abstract", "post", "summary",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "category", "class", "target", "coarse", "intent", "sentiment", "topic", "categories", "tag",
    "coarse_label", "label_coarse", "label_text", "gold_label", "y", "answer", "output", "type", "emotion", "polarity",
    "completion", "response",
)  # fmt: skip
PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("question", "sentence"))
ID_NAMES = ("id", "_id", "idx", "uid", "uuid", "guid", "row_id")
GROUP_NAMES = ("group", "group_id")
SAMPLES = 20  # rows kept to look into lists and objects
VALUES_KEPT = 1000  # distinct values held a column; more than that is no set of labels
LABEL_SHARE = 0.5  # a label comes back: fewer distinct values than half the rows
LABEL_LENGTH = 60  # characters; longer values are text


@dataclass(slots=True)
class Column:
    """What all rows together say of one column."""

    rows: int = 0
    characters: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: set[str] = field(default_factory=set)

    def see(self, value: Any) -> None:
        """Count one more value."""
        self.rows += 1
        self.kinds[type(value).__name__ if value is not None else "null"] += 1
        if isinstance(value, str):
            self.characters += len(value)
        if len(self.values) < VALUES_KEPT:
            for one in value if isinstance(value, list) else [value]:
                self.values.add(str(one)[: LABEL_LENGTH + 1])

    @property
    def mean_length(self) -> float:
        """The mean number of characters of its strings."""
        return self.characters / max(1, self.kinds["str"])

    def label_like(self) -> bool:
        """Whether its values come back often enough, and are short enough, to be labels."""
        few = len(self.values) < min(VALUES_KEPT, max(3, LABEL_SHARE * self.rows))
        return few and not self.kinds["float"] and all(len(value) <= LABEL_LENGTH for value in self.values)

    def repeated(self) -> bool:
        """Whether it holds labels beyond doubt: texts or numbers, each of which stands in two rows on the average."""
        plain = not self.kinds["dict"] and not self.kinds["list"]
        return plain and self.label_like() and 2 * len(self.values) <= self.rows


@dataclass(slots=True)
class Schema:
    """The columns found in all rows, in the order they were first seen."""

    rows: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    samples: list[Mapping[str, Any]] = field(default_factory=list)
    """The values of the first rows, as they stand."""

    def see(self, row: Row) -> None:
        """Count one more row."""
        self.rows += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(row.values)
        for name, value in row.values.items():
            self.columns.setdefault(name, Column()).see(value)

    def table(self) -> dict[str, dict[str, Any]]:
        """For each column: in how many rows it stands, its types, and how many values it takes (None: many)."""
        return {
            name: {
                "rows": column.rows,
                "types": dict(column.kinds),
                "values": len(column.values) if len(column.values) < VALUES_KEPT else None,
            }
            for name, column in self.columns.items()
        }


def choose(
    schema: Schema, given: Columns, labels: Collection[str] = (), labelled: bool = True
) -> tuple[Columns, list[str]]:
    """The columns to use, and one sentence for each that was guessed.

    `labels` are the scope's: a column whose values are those wins. With `labelled` False no label is looked for.
    Raises UserError, listing every column of every row, when one that is needed is not there.
    """
    said: list[str] = []
    label = given.label
    if label:
        known(schema, label, "label")
    elif labelled:
        label = _label(schema, given, labels, said)
    text = given.text
    for part in text.split("+") if text and text not in schema.columns else [text] * bool(text):
        known(schema, part.strip(), "text")
    if not text:
        text = _text(schema, {label, given.id, given.group}, said)
    identity, group = identify(schema, given, said)
    return Columns(text=text, label=label, id=identity, group=group), said


def identify(schema: Schema, given: Columns, said: list[str]) -> tuple[str, str]:
    """The columns of the id and of the group, those that were guessed added to `said`; empty where there is none."""
    for name in (given.id, given.group):
        if name:
            known(schema, name, "id" if name == given.id else "group")
    identity = given.id or _first(schema, ID_NAMES, "id", said)
    return identity, given.group or _first(schema, GROUP_NAMES, "group", said)


def known(schema: Schema, name: str, use: str) -> None:
    """Raise UserError where no row has the column that data.columns names for this use."""
    if name not in schema.columns:
        hint = f"{nearest(name, schema.columns)}; data.columns.{use}=NAME says which"
        raise UserError(f"no row has the column '{name}' that data.columns.{use} names", hint)


def _first(schema: Schema, names: Collection[str], use: str, said: list[str]) -> str:
    by_lower = {name.lower(): name for name in schema.columns}
    found = next((by_lower[name] for name in names if name in by_lower), "")
    if found:
        said.append(f"{use} = column '{found}'")
    return found


def listed(schema: Schema) -> str:
    """Every column, and in how many rows it stands."""
    shown = [
        f"{name} ({'in all rows' if column.rows == schema.rows else f'in {column.rows:,} of {schema.rows:,} rows'})"
        for name, column in schema.columns.items()
    ]
    return ", ".join(shown) or "none"


def _text(schema: Schema, taken: Collection[str], said: list[str]) -> str:
    strings = [name for name, column in schema.columns.items() if column.kinds["str"] and name not in taken]
    lower = {name.lower(): name for name in strings}
    if "text" in lower:
        others = [name for name in strings if name != lower["text"] and name.lower() in TEXT_NAMES]
        said.append(f"text = column '{lower['text']}'" + _other(others, "text"))
        return lower["text"]
    for pair in PAIRS:
        if all(part in lower for part in pair):
            joined = "+".join(lower[part] for part in pair)
            said.append(f"text = columns '{joined}', joined (data.columns.text=NAME takes one of them)")
            return joined
    named = [lower[name] for name in TEXT_NAMES if name in lower]
    pool = named or [name for name in strings if name.lower() not in (*ID_NAMES, *GROUP_NAMES, *LABEL_NAMES)]
    if not pool:
        raise UserError(f"no column holds text; the columns are {listed(schema)}", "data.columns.text=NAME says which")
    best = max(pool, key=lambda name: schema.columns[name].mean_length)
    why = "" if len(pool) == 1 else ", the one with the longest texts"
    said.append(f"text = column '{best}'{why}" + _other([name for name in pool if name != best], "text"))
    return best


def _label(schema: Schema, given: Columns, labels: Collection[str], said: list[str]) -> str:
    taken = {*given.text.split("+"), given.id, given.group}
    free = {name: column for name, column in schema.columns.items() if name not in taken}
    if labels:
        fitting = [name for name, column in free.items() if column.values and column.values <= set(labels)]
        if fitting:
            said.append(f"label = column '{fitting[0]}', which holds the labels of the scope")
            return fitting[0]
    lower = {name.lower(): name for name in free}
    named = [lower[name] for name in LABEL_NAMES if name in lower]
    if not named:
        raise UserError(
            f"no column holds a label; the columns are {listed(schema)}", "data.columns.label=NAME says which"
        )
    best = named[0]
    known = {*ID_NAMES, *GROUP_NAMES, *TEXT_NAMES}
    others = [
        name for name, column in free.items() if name != best and name.lower() not in known and column.label_like()
    ]
    said.append(f"label = column '{best}' ({_count(schema, best)})" + _other(others, "label", schema))
    return best


def _count(schema: Schema, name: str) -> str:
    count = len(schema.columns[name].values)
    return f"{count} values" if count < VALUES_KEPT else "many values"


def _other(names: list[str], use: str, schema: Schema | None = None) -> str:
    if not names:
        return ""
    shown = [f"'{name}' ({_count(schema, name)})" if schema else f"'{name}'" for name in names]
    return f"; it could also be {', '.join(shown)}: data.columns.{use}={names[0]}"
