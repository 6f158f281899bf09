"""A store is opened by its name, and a name with a password in it is refused without being repeated."""

import sys
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.rag.search import HoldsVectors
from dragoman.rag.store import SqliteStore
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.open import HoldsSpaces, file_of, is_made, open_store
from tests.rag.shelves import batch


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = open_store("index.sqlite", "m")
    assert isinstance(file, SqliteStore) and isinstance(file, HoldsSpaces) and file.path == Path("index.sqlite")
    assert file_of("index.sqlite") == Path("index.sqlite") and is_made("index.sqlite") and not is_made("other.sqlite")
    file.close()
    for name, library in (("qdrant:some folder", "qdrant_client"), ("lancedb:some/lance", "lancedb")):
        pytest.importorskip(library)
        assert file_of(name) is None and not is_made(name)
        store = open_store(name, "m")
        assert isinstance(store, KeptStore) and isinstance(store, HoldsVectors) and not isinstance(store, HoldsSpaces)
        assert store.path == name and store.apply(batch("a", ["a car"])).added == 1 and store.space() == "m"
        store.close()
        again = open_store(name)
        assert is_made(name) and again.sources() == {"a": "1"}
        again.close()


def test_addresses() -> None:
    pytest.importorskip("qdrant_client")
    pytest.importorskip("pgvector")
    for name, server, table in (
        ("qdrant:http://127.0.0.1:6333/guide", "http://127.0.0.1:6333", "guide"),
        ("qdrant:http://127.0.0.1:6333/", "http://127.0.0.1:6333", "dragoman"),
        ("qdrant:https://host/behind/guide", "https://host/behind", "guide"),
    ):
        store = open_store(name)
        assert isinstance(store, KeptStore) and is_made(name)
        keeper = store._keeper
        assert (keeper.place, keeper.pieces, keeper.caps.ann) == (server, table, True)  # type: ignore[attr-defined]
        store.close()
    for name, table in (
        ("pgvector:postgresql://me@h/db#guide", "guide"),
        ("pgvector:postgres://h:1,i:2/db", "dragoman"),
    ):
        store = open_store(name)
        assert isinstance(store, KeptStore)
        assert store._keeper._names["pieces"] == table  # type: ignore[attr-defined]
        store.close()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("qdrant:", "says not where"),
        ("qdrant:http://me:sesame@host/x", "a password stands"),
        ("qdrant:http://host/x?api-key=sesame", "a password stands"),
        ("pgvector:postgresql://me:sesame@host/db", "a password stands"),
        ("pgvector:postgresql://host/db?password=sesame", "a password stands"),
        ("pgvector:dbname=x password=sesame", "begins with postgresql://"),
        ("pgvector:postgresql://host/db#sesame; DROP TABLE x", "no name of a table"),
        ("qdrant:http://host/sesame'", "no name of a table"),
        ("qdrant:http://[sesame", "is none"),
        ("qdrant:http://host:sesame/x", "is none"),
        ("pgvector:postgresql://me@host:99999/db", "is none"),
    ],
)
def test_names_that_are_none(name: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        open_store(name)
    assert "sesame" not in f"{caught.value}{caught.value.hint}"


def test_a_library_that_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for library, name in (
        ("qdrant_client", f"qdrant:{tmp_path}"),
        ("lancedb", f"lancedb:{tmp_path}"),
        ("psycopg", "pgvector:postgresql://host/db"),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(UserError, match="not installed") as caught:
            open_store(name)
        assert f"dragoman[{name.partition(':')[0]}]" in caught.value.hint
