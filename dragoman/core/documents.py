"""Documents, the pieces they are cut into, and what is asked of a store of such pieces: values, no behaviour."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NOT_IN_DOCUMENTS",
    "All",
    "Batch",
    "Block",
    "Caps",
    "Chunk",
    "Document",
    "Either",
    "Equals",
    "Filter",
    "Hit",
    "Kind",
    "Not",
    "OneOf",
    "Query",
    "Range",
    "Receipt",
    "Value",
    "Verified",
]

Kind = Literal["title", "heading", "paragraph", "list", "table", "code", "caption"]
NOT_IN_DOCUMENTS = "not in the documents"
"the answer to a question that the documents do not answer"

Value = str | int | float | bool
"what may stand in the metadata of a document"


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document's text, `text[start:end]`, and what it is."""

    start: int
    end: int
    kind: Kind = "paragraph"
    level: int = 0
    "of a heading: 1 is the highest"
    page: int = 0
    "counted from 1; 0 where the document has no pages"


@dataclass(frozen=True, slots=True)
class Document:
    """One source as text. The blocks stand in reading order, do not overlap, and leave out nothing but white space."""

    source: str
    "what it is called: a path from the folder that was given, or a name"
    text: str
    blocks: tuple[Block, ...] = ()
    title: str = ""
    pages: int = 0
    "0 where it has none"
    problems: tuple[str, ...] = ()
    "what a person should know, such as `page 3 holds no text: it is a scan`"
    meta: Mapping[str, Value] = field(default_factory=dict)
    access: frozenset[str] = frozenset()
    "who may see it; nobody named is everybody"

    @property
    def version(self) -> str:
        """SHA-256 of all that a store keeps of it."""
        parts = (self.source, self.title, self.text, repr(self.blocks), repr(sorted(self.meta.items())))
        return hashlib.sha256(
            "\0".join((*parts, repr(sorted(self.access)))).encode("utf-8", "surrogatepass")
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `document.text[start:end]`, exactly, and where it stands."""

    source: str
    number: int
    "its place among the pieces of its source"
    start: int
    end: int
    text: str
    path: tuple[str, ...] = ()
    "the title and the headings it stands under"
    page: int = 0
    parent: int = -1
    "the number of the larger piece around it; -1 where there is none. A parent is read and never searched"
    is_parent: bool = False
    meta: Mapping[str, Value] = field(default_factory=dict)
    access: frozenset[str] = frozenset()

    @property
    def embedded(self) -> str:
        """The text that is embedded and searched: what it stands under, then what it says."""
        return "\n".join((" > ".join(self.path), self.text)) if self.path else self.text


@dataclass(frozen=True, slots=True)
class Equals:
    """Metadata `name` is `value`."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Metadata `name` is one of `values`."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Metadata `name` lies between two numbers, both included; None is no bound."""

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these holds; of none, it holds."""

    filters: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """One of these holds at the least; of none, it does not."""

    filters: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    filter: "Filter"


Filter = Equals | OneOf | Range | All | Either | Not
"what a piece must be like; metadata that is not there equals nothing and lies in no range. `source` is metadata too"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: by text, by vector [width], or by both."""

    text: str = ""
    vector: NDArray[np.float32] | None = None
    k: int = 10
    filter: Filter | None = None
    access: frozenset[str] = frozenset()
    "the groups of who asks; pieces that name groups are seen only by one of those"


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece that was found. `dense` is the cosine, `lexical` the BM25 score; None where that was not looked at."""

    chunk: Chunk
    score: float
    dense: float | None = None
    lexical: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """One version of one source, or its removal: applied as a whole or not at all."""

    source: str
    version: str
    "empty removes the source"
    title: str = ""
    chunks: tuple[Chunk, ...] = ()
    vectors: NDArray[np.float32] | None = None
    "[chunks that are no parents, width], of length 1, in their order"
    problems: tuple[str, ...] = ()
    meta: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was applied."""

    source: str
    added: int = 0
    removed: int = 0
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Caps:
    """What a store can do."""

    dense: bool = True
    lexical: bool = True
    transactions: bool = True
    ann: bool = False
    "whether it searches approximately at some size"


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a store holds what its manifest says."""

    sources: int
    chunks: int
    problems: tuple[str, ...] = ()
    model: str = ""
    "the fingerprint of what embedded it"
