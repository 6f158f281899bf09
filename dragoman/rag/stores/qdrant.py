"""Pieces in Qdrant: a collection of pieces, and one of the manifest beside it.

Qdrant has no transactions, so a source is put in steps that no reader sees. Its new pieces are named as hidden before
they are written; one record, which Qdrant changes whole, then hides the old and shows the new; the old go last. A mark
that is new before each step tells a search that it was made during one. Killed at any instant, what is hidden stays so,
and is taken out at the next change. One process may write at a time.
"""

import ipaddress
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Caps, Chunk, Filter
from dragoman.core.errors import Busy, UserError
from dragoman.rag.stores.asked import plain
from dragoman.rag.stores.qdrant_points import (
    FIELDS,
    SPACE,
    compiled,
    fields_of,
    id_of,
    matches,
    one_of,
    points_of,
    row_of,
)
from dragoman.rag.stores.rows import Made, Record, Row, as_word, chunk_in, record_in, records_in, source_in

__all__ = ["COLLECTION", "QdrantKeeper"]

Vector = NDArray[np.float32]
COLLECTION = "dragoman"
"the collection where none is named"
PAGE = 256  # points a request
WAIT = 60  # seconds for an answer
STATE = id_of("state")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A source in the manifest: what it is, and the puttings of it whose pieces are not to be seen."""

    source: str
    record: str = ""
    hidden: tuple[str, ...] = ()

    @property
    def live(self) -> str:
        """The putting whose pieces are seen; empty where there is none, or its record is damaged."""
        record = record_in(self.record)
        return record.token if record else ""

    @property
    def payload(self) -> dict[str, Any]:
        """It as it lies there."""
        told = {"kind": "source", "source": as_word(self.source), "record": self.record}
        return {**told, "hidden": list(self.hidden), "busy": bool(self.hidden)}


class QdrantKeeper:
    """Keeps rows in Qdrant: in a server, by its URL, or in a folder, which is for trying things out."""

    def __init__(self, place: str, collection: str = COLLECTION) -> None:
        """Raises UserError where the client is not installed, and Busy where another process holds the folder."""
        self.place = place
        self.remote = place.startswith(("http://", "https://"))
        self.pieces, self.manifest = collection, f"{collection}_manifest"
        self._known: set[str] = set()  # collections that were seen to be there
        self._indexed: set[str] = set()
        self._clean = False  # whether nothing is left of a change that was stopped
        self._generation = ""
        self._hidden: tuple[str, tuple[str, ...]] = ("", ())
        self._client = _opened(place, self.remote)

    @property
    def caps(self) -> Caps:
        """What it can do: a server searches by a graph from some size on, a folder looks at every vector."""
        return Caps(transactions=False, ann=self.remote)

    def close(self) -> None:
        """Let go of it."""
        self._client.close()

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """The client; what it finds wrong is told as a mistake. It is not quoted: it may repeat what was sent."""
        from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

        try:
            yield self._client
        except ResponseHandlingException as error:
            raise UserError(f"{self.place} does not answer", "start Qdrant there, or give its address") from error
        except UnexpectedResponse as error:
            hint = "set QDRANT_API_KEY" if error.status_code in (401, 403) else "look into the log of the server"
            raise UserError(f"{self.place} answered with {error.status_code}", hint) from error
        except ApiException as error:
            raise UserError(f"{self.place} cannot be used", "give the address of a Qdrant server") from error

    def _there(self, name: str) -> bool:
        """Whether a collection is there."""
        if name not in self._known:
            with self._told() as client:
                if client.collection_exists(name):
                    self._known.add(name)
        return name in self._known

    # -- the manifest ------------------------------------------------------------------------------------------------
    def _payload(self, point: str) -> dict[str, Any]:
        """What a point of the manifest holds; nothing where it is not there."""
        if not self._there(self.manifest):
            return {}
        with self._told() as client:
            found = client.retrieve(self.manifest, [point])
        return dict(found[0].payload or {}) if found else {}

    def _write(self, point: str, payload: dict[str, Any]) -> None:
        """Put a point of the manifest, whole."""
        from qdrant_client import models

        if not self._there(self.manifest):
            with self._told() as client:
                client.create_collection(self.manifest, vectors_config={})
                self._known.add(self.manifest)
                if self.remote:
                    client.create_payload_index(self.manifest, "kind", "keyword")
                    client.create_payload_index(self.manifest, "busy", "bool")
        with self._told() as client:
            client.upsert(self.manifest, [models.PointStruct(id=point, vector={}, payload=payload)], wait=True)

    def generation(self) -> str:
        """The mark that is new before every step of a change."""
        self._generation = str(self._payload(STATE).get("generation", ""))
        return self._generation

    def _step(self, made: Made | None = None) -> None:
        """A new mark."""
        held = self._payload(STATE)
        told = {"model": made.model, "width": made.width} if made else {}
        self._write(STATE, {"kind": "state", **held, **told, "generation": uuid.uuid4().hex})

    def made(self) -> Made:
        """What its vectors come from."""
        held = self._payload(STATE)
        return Made(str(held.get("model", "")), int(held.get("width", 0)))

    def _entry(self, source: str) -> _Entry:
        held = self._payload(id_of(f"source:{source}"))
        return _Entry(source, str(held.get("record", "")), tuple(held.get("hidden", ())))

    def _enter(self, entry: _Entry) -> None:
        self._write(id_of(f"source:{entry.source}"), entry.payload)

    def record(self, source: str) -> Record | None:
        """What the manifest says of a source."""
        entry = self._entry(source)
        return record_in(entry.record)

    def records(self) -> dict[str, Record]:
        """The manifest, by source."""
        points = self._scrolled(self.manifest, [matches("kind", "source")])
        return records_in(point.payload["record"] for point in points)

    def mark(self, record: Record) -> None:
        """Change what the manifest says of a source; the pieces that are shown stay those."""
        self._enter(_Entry(record.source, record.text, self._entry(record.source).hidden))
        self._step()

    def note(self, name: str, value: str) -> None:
        """Write down a fact."""
        self._write(id_of(f"fact:{name}"), {"kind": "fact", "name": name, "value": value})

    def noted(self, name: str) -> str:
        """A fact; empty where nothing is noted."""
        return str(self._payload(id_of(f"fact:{name}")).get("value", ""))

    # -- writing -----------------------------------------------------------------------------------------------------
    def put(self, record: Record, chunks: Sequence[Chunk], vectors: Vector | None, made: Made) -> None:
        """Put a source in the place of what it was, in the steps that the top of this file tells."""
        from qdrant_client import models

        fresh = points_of(record.token, chunks, vectors)  # whatever does not fit is said before anything is written
        self._make(made, fresh)
        self._begin()
        entry = self._entry(record.source)
        self._enter(_Entry(record.source, entry.record, tuple({*entry.hidden, record.token})))
        self._step(made)
        for start in range(0, len(fresh), PAGE):
            with self._told() as client:
                client.upsert(self.pieces, fresh[start : start + PAGE], wait=True)
        old = tuple(token for token in {*entry.hidden, entry.live} if token)
        self._enter(_Entry(record.source, record.text, old))
        self._step()
        others = models.Filter(
            must=[matches("source", as_word(record.source))], must_not=[matches("token", record.token)]
        )
        with self._told() as client:
            client.delete(self.pieces, models.FilterSelector(filter=others), wait=True)
        self._enter(_Entry(record.source, record.text))
        self._clean = True

    def _begin(self) -> None:
        """Take out what is left of a change that was stopped: nobody sees it, and one process writes at a time."""
        from qdrant_client import models

        for point in [] if self._clean else self._scrolled(self.manifest, [matches("busy", True)]):
            with self._told() as client:
                if self._there(self.pieces):
                    left = models.Filter(must=[one_of("token", point.payload["hidden"])])
                    client.delete(self.pieces, models.FilterSelector(filter=left), wait=True)
                if point.payload["record"]:
                    client.set_payload(self.manifest, {"hidden": [], "busy": False}, [point.id], wait=True)
                else:
                    client.delete(self.manifest, models.PointIdsList(points=[point.id]), wait=True)
        self._clean = False

    def drop(self, source: str) -> None:
        """Take a source out: it is hidden, then deleted."""
        from qdrant_client import models

        self._begin()
        entry = self._entry(source)
        self._enter(_Entry(source, "", tuple(token for token in {*entry.hidden, entry.live} if token)))
        self._step()
        with self._told() as client:
            if self._there(self.pieces):
                every = models.Filter(must=[matches("source", as_word(source))])
                client.delete(self.pieces, models.FilterSelector(filter=every), wait=True)
            client.delete(self.manifest, models.PointIdsList(points=[id_of(f"source:{source}")]), wait=True)
        self._clean = True

    def _make(self, made: Made, points: Sequence[Any]) -> None:
        """The collection of pieces, made for vectors of this width, and indexes for what is filtered by."""
        from qdrant_client import models

        if self._there(self.pieces) and made.width and not self.made().width:
            with self._told() as client:
                client.delete_collection(self.pieces)  # made without vectors, and no piece is in it
                self._known.discard(self.pieces)
                self._indexed.clear()
        with self._told() as client:
            if not self._there(self.pieces):
                size = models.VectorParams(size=made.width, distance=models.Distance.DOT)
                client.create_collection(self.pieces, vectors_config={SPACE: size} if made.width else {})
                self._known.add(self.pieces)
            if self.remote:
                fields = FIELDS | fields_of(points)
                for name in fields.keys() - self._indexed:
                    client.create_payload_index(self.pieces, name, fields[name])
                    self._indexed.add(name)

    # -- reading -----------------------------------------------------------------------------------------------------
    def _scrolled(
        self, collection: str, must: list[Any], fields: Sequence[str] | bool = True, vectors: bool = False,
        hidden: Sequence[str] = (),
    ) -> list[Any]:  # fmt: skip
        """Every point that all of these hold for, without those of hidden puttings."""
        from qdrant_client import models

        wanted = models.Filter(must=must, must_not=[one_of("token", hidden)] if hidden else None)
        found: list[Any] = []
        after = None
        while self._there(collection):
            with self._told() as client:
                points, after = client.scroll(
                    collection,
                    scroll_filter=wanted,
                    limit=PAGE,
                    offset=after,
                    with_payload=fields,
                    with_vectors=vectors,
                )
            found += points
            if after is None:
                break
        return found

    def _out_of_sight(self, generation: str = "") -> tuple[str, ...]:
        """The puttings whose pieces are not to be seen; read once after each new mark where that is given."""
        if not generation or self._hidden[0] != generation:
            points = self._scrolled(self.manifest, [matches("busy", True)])
            self._hidden = (generation, tuple(token for point in points for token in point.payload["hidden"]))
        return self._hidden[1]

    def counted(self) -> dict[str, int]:
        """How many pieces of each source lie there."""
        if not self._there(self.pieces):
            return {}
        counts: dict[str, int] = {}
        for point in self._scrolled(self.pieces, [], ["piece", "source"], hidden=self._out_of_sight()):
            source = source_in(point.payload["piece"], point.payload["source"])
            counts[source] = counts.get(source, 0) + 1
        return counts

    def near(self, vector: Vector, k: int, wanted: Filter | None, groups: frozenset[str]) -> list[tuple[Chunk, float]]:
        """The nearest pieces that are wanted and may be seen, and their cosines."""
        from qdrant_client import models

        if not self._there(self.pieces):
            return []
        seen = [matches("open", True)]
        seen += [one_of("access", [as_word(group) for group in sorted(groups)])] if groups else []
        must = [models.Filter(should=seen), *([compiled(plain(wanted))] if wanted else [])]
        hidden = self._out_of_sight(self._generation)
        asked = models.Filter(must=must, must_not=[one_of("token", hidden)] if hidden else None)
        with self._told() as client:
            found = client.query_points(
                self.pieces, query=vector.tolist(), using=SPACE, limit=k, query_filter=asked, with_payload=["piece"]
            )
        return [(chunk_in(point.payload["piece"]), float(point.score)) for point in found.points]

    def rows(self, sources: Sequence[str], vectors: bool = False) -> list[Row]:
        """Every piece of some sources that is not hidden."""
        if not self._there(self.pieces) or not sources:
            return []
        must = [one_of("source", [as_word(source) for source in sources])]
        fields = ["piece", "key", "access"]
        return list(map(row_of, self._scrolled(self.pieces, must, fields, vectors, self._out_of_sight())))

    def fetch(self, places: Sequence[tuple[Record, int]]) -> list[Row]:
        """The pieces of these sources and numbers, with their vectors."""
        if not places:
            return []
        ids = [id_of(f"{record.token}:{number}") for record, number in places]
        with self._told() as client:
            found = client.retrieve(self.pieces, ids, with_payload=["piece", "key", "access"], with_vectors=True)
        return list(map(row_of, found))

    def by_key(self, keys: Sequence[str]) -> dict[str, Vector]:
        """The vectors of texts, by the hash of each."""
        found: dict[str, Vector] = {}
        if self._there(self.pieces) and self.made().width:
            for start in range(0, len(keys), PAGE):
                must = [one_of("key", keys[start : start + PAGE])]
                for row in map(row_of, self._scrolled(self.pieces, must, ["piece", "key", "access"], True)):
                    if row.vector is not None:
                        found[row.key] = row.vector
        return found


def _is_here(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _opened(place: str, remote: bool) -> Any:
    """The client of a server, or of a folder. Raises UserError where a key would travel to another machine in plain."""
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise UserError("qdrant-client is not installed", 'pip install "dragoman[qdrant]"') from error
    if remote:
        key = os.environ.get("QDRANT_API_KEY") or None
        parts = urlsplit(place)
        if key and parts.scheme == "http" and not _is_here(parts.hostname or ""):
            raise UserError(
                f"QDRANT_API_KEY is set, and http://{parts.hostname} would carry it unencrypted",
                "give an https:// address, or unset QDRANT_API_KEY where the server needs no key",
            )
        return QdrantClient(url=place, api_key=key, timeout=WAIT, check_compatibility=False)
    try:
        return QdrantClient(path=place)
    except RuntimeError as error:
        raise Busy(f"{place} is held by another process", "wait until it is done, or start a Qdrant server") from error
    except OSError as error:
        raise UserError(f"{place} cannot be opened: {error.strerror}", "give a folder that may be written") from error
