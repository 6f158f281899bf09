"""Opens a store of documents by its name: a file, or a database by its address."""

import re
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Store
from dragoman.core.errors import UserError
from dragoman.rag.search import HoldsVectors
from dragoman.rag.store import SqliteStore
from dragoman.rag.stores.kept import KeptStore

__all__ = ["SCHEMES", "DocumentStore", "HoldsSpaces", "file_of", "is_made", "open_store"]

SCHEMES = ("qdrant", "lancedb", "pgvector")
"what a name begins with that is no file's"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
EXAMPLES = {
    "qdrant": "index=qdrant:http://localhost:6333/documents",
    "lancedb": "index=lancedb:FOLDER",
    "pgvector": "index=pgvector:postgresql://localhost/NAME#documents",
}
SECRETS = {"qdrant": "QDRANT_API_KEY", "pgvector": "PGPASSWORD"}


class DocumentStore(Store, HoldsVectors, Protocol):
    """A store as documents are indexed into it: it tells what embedded them, and keeps facts about itself."""

    @property
    def path(self) -> str | Path:
        """How it is named."""
        ...

    def space(self) -> str:
        """The fingerprint of what embedded the documents; empty where nothing did."""
        ...

    def note(self, name: str, value: str) -> None:
        """Write down a fact."""
        ...

    def noted(self, name: str) -> str:
        """A fact; empty where nothing is noted."""
        ...


@runtime_checkable
class HoldsSpaces(Protocol):
    """A store that fills the space of another model beside the one that is searched."""

    def begin_space(self, fingerprint: str, width: int) -> None:
        """Open a space."""
        ...

    def missing(self, fingerprint: str, most: int = 1000) -> list[str]:
        """Texts that have no vector in it yet."""
        ...

    def put_vectors(self, fingerprint: str, vectors: dict[str, NDArray[np.float32]]) -> int:
        """Put vectors into it."""
        ...

    def switch(self, fingerprint: str) -> None:
        """Search it from now on."""
        ...


def file_of(name: str | Path) -> Path | None:
    """The file that a name means; None where it means a database."""
    return Path(name) if isinstance(name, Path) or name.partition(":")[0] not in SCHEMES else None


def is_made(name: str | Path) -> bool:
    """Whether there can be an index of this name: its file or folder is there, or it lies in a server."""
    file = file_of(name)
    if file is not None:
        return file.is_file()
    scheme, _, place = str(name).partition(":")
    return scheme == "pgvector" or place.startswith(("http://", "https://")) or Path(place).is_dir()


def open_store(name: str | Path, model: str = "", sealed: bool = False) -> DocumentStore:
    """The store of a name: the path of a file, `qdrant:URL/COLLECTION`, `qdrant:FOLDER`, `lancedb:FOLDER` or
    `pgvector:postgresql://...#TABLE`.

    `model` names what the vectors come from, for a store that has none yet; a `sealed` file is never written again.
    Raises UserError where the name is none, its library is not installed, or a password stands in it: records and
    messages name the store, so secrets come from the environment.
    """
    file = file_of(name)
    if file is not None:
        return SqliteStore(file, model=model, sealed=sealed)
    scheme, _, place = str(name).partition(":")
    if not place:
        raise UserError(f"{scheme}: says not where the index lies", f"say it: {EXAMPLES[scheme]}")
    _check_secret(scheme, place)
    if scheme == "lancedb":
        from dragoman.rag.stores.lancedb import LanceKeeper

        return KeptStore(LanceKeeper(place), model, path=str(name))
    if scheme == "pgvector":
        from dragoman.rag.stores.pgvector import TABLE, PostgresKeeper

        address, _, table = place.partition("#")
        if not address.startswith(("postgresql://", "postgres://")):
            raise UserError("the address of a PostgreSQL database begins with postgresql://", EXAMPLES[scheme])
        return KeptStore(PostgresKeeper(address, _named(table or TABLE, scheme)), model, path=str(name))
    from dragoman.rag.stores.qdrant import COLLECTION, QdrantKeeper

    if not place.startswith(("http://", "https://")):
        return KeptStore(QdrantKeeper(place), model, path=str(name))
    parts = urlsplit(place)
    above, _, collection = parts.path.rstrip("/").rpartition("/")
    server = f"{parts.scheme}://{parts.netloc}{above}"
    return KeptStore(QdrantKeeper(server, _named(collection or COLLECTION, scheme)), model, path=str(name))


def _check_secret(scheme: str, place: str) -> None:
    """Raise UserError, which does not repeat it, where a password stands in an address."""
    if "://" not in place:
        return
    try:
        parts = urlsplit(place)
        for host in parts.netloc.rpartition("@")[2].split(","):  # libpq takes several
            urlsplit(f"//{host}").port  # noqa: B018  raises ValueError where it is none
        secret = parts.password is not None or bool({"password", "api_key", "api-key"} & parse_qs(parts.query).keys())
    except ValueError as error:
        raise UserError("the address of the index is none", f"such as {EXAMPLES[scheme]}") from error
    if secret:
        name = SECRETS.get(scheme, "PGPASSWORD")
        raise UserError("a password stands in the address of the index", f"leave it out, and set {name}")


def _named(name: str, scheme: str) -> str:
    if not NAME.fullmatch(name):
        hint = f"take at most 40 letters, digits and _: {EXAMPLES[scheme]}"
        raise UserError("that is no name of a table or collection", hint)
    return name
