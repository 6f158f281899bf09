"""Empty stores of every kind, for the tests that hold for all of them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dragoman.core.doors import Store
from dragoman.rag.store import SqliteStore
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.lancedb import LanceKeeper
from dragoman.rag.stores.pgvector import PostgresKeeper
from dragoman.rag.stores.qdrant import QdrantKeeper
from dragoman.rag.stores.rows import Keeper
from tests.rag.memory import MemoryStore
from tests.rag.postgres import GIVEN, programs, server

KINDS = ("qdrant", "lancedb", "pgvector")
NEEDS = {"qdrant": "qdrant_client", "lancedb": "lancedb", "pgvector": "pgvector"}
QDRANT = "DRAGOMAN_TEST_QDRANT"  # names a server that the tests may write to, such as http://127.0.0.1:6333

MakeKeeper = Callable[[str, str], Keeper]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a database with pgvector."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    if os.environ.get(GIVEN):
        yield os.environ[GIVEN]
        return
    folder = programs()
    if folder is None:
        pytest.skip(f"no PostgreSQL with the extension vector is installed, and {GIVEN} names none")
    with ExitStack() as stack:
        try:
            address = stack.enter_context(server(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"PostgreSQL does not start: {error}")
        yield address


@pytest.fixture
def make_keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeKeeper]:
    """Opens a database of a kind under a name; the same name is the same database. All are emptied at the end."""
    opened: dict[tuple[str, str, int], Keeper] = {}
    tables: set[str] = set()
    token = os.urandom(4).hex()

    def make(kind: str, name: str = "one") -> Keeper:
        pytest.importorskip(NEEDS[kind])
        keeper: Keeper
        if kind == "qdrant":
            if ("qdrant", name, 0) in opened:
                return opened["qdrant", name, 0]  # a folder is opened once at a time
            place = os.environ.get(QDRANT) or str(tmp_path / f"qdrant_{name}")
            keeper = QdrantKeeper(place, f"t{token}_{name}")
        elif kind == "lancedb":
            keeper = LanceKeeper(str(tmp_path / "lance" / name))
        else:
            keeper = PostgresKeeper(request.getfixturevalue("postgres"), f"t{token}_{name}")
            tables.add(f"t{token}_{name}")
        opened[kind, name, 0 if kind == "qdrant" else len(opened)] = keeper
        return keeper

    yield make
    for keeper in opened.values():
        keeper.close()
    if tables:
        import psycopg

        with psycopg.connect(request.getfixturevalue("postgres"), autocommit=True) as connection:
            for table in tables:
                for name in (table, f"{table}_sources", f"{table}_facts"):
                    connection.execute(f'DROP TABLE IF EXISTS "{name}"'.encode())
    if os.environ.get(QDRANT):
        from qdrant_client import QdrantClient

        client = QdrantClient(os.environ[QDRANT])
        for found in client.get_collections().collections:
            if found.name.startswith(f"t{token}_"):
                client.delete_collection(found.name)


@pytest.fixture(params=["sqlite", "memory", *KINDS])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "index.db", language="en")
    if request.param == "memory":
        return MemoryStore()
    keeper = request.getfixturevalue("make_keeper")(request.param, "one")
    return KeptStore(keeper, language="en")
