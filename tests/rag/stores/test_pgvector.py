"""PostgreSQL changes a source in one transaction, and past a number of pieces it searches a graph of neighbours."""

from typing import Any

import numpy as np
import pytest

from dragoman.core.documents import Equals, Query
from dragoman.core.errors import UserError
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.pgvector import PostgresKeeper
from tests.rag.conftest import MakeKeeper
from tests.rag.shelves import WIDTH, batch, embed, removal

pytest.importorskip("psycopg")
pytest.importorskip("pgvector")
LIMITS = ("max_scan_tuples", "scan_mem_multiplier")


def test_two_at_a_time(make_keeper: MakeKeeper) -> None:
    here, there = (KeptStore(make_keeper("pgvector", "one"), language="en") for _ in range(2))
    here.apply(batch("a", ["a car"]))
    there.apply(batch("b", ["a car", "a boat"]))
    query = Query("car", embed(["x"])[0])
    assert here.search(query) == there.search(query) and len(here.search(query)) == 3
    there.apply(removal("a"))
    assert len(here.search(query)) == 2 and here.sources() == {"b": "1"}


def test_a_transaction_that_fails_changes_nothing(make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = make_keeper("pgvector", "one")
    store = KeptStore(keeper, language="en")

    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(PostgresKeeper, "_step", fails)
        with pytest.raises(KeyboardInterrupt):
            store.apply(batch("a", ["a car", "a boat"]))  # with the tables it was to be put into
        assert store.sources() == {} and list(store.scan()) == []
    store.apply(batch("a", ["a car", "a boat"]))
    before = (list(store.scan()), store.sources(), keeper.generation())
    with monkeypatch.context() as context:
        context.setattr(PostgresKeeper, "_step", fails)
        for given in (batch("a", ["a train"], "2"), removal("a")):
            with pytest.raises(KeyboardInterrupt):
                store.apply(given)
    assert (list(store.scan()), store.sources(), keeper.generation()) == before


def test_a_connection_that_is_lost_is_made_again(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper("pgvector", "one")
    assert isinstance(keeper, PostgresKeeper)
    store = KeptStore(keeper, language="en")
    store.apply(batch("a", ["a car"]))
    keeper._connection.close()
    assert store.search(Query("", embed(["x"])[0]))[0].chunk.text == "a car"


def test_a_graph_of_neighbours(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper("pgvector", "one")
    assert isinstance(keeper, PostgresKeeper)
    keeper.exact_up_to = 100
    store = KeptStore(keeper, language="en")
    for source in range(3):
        texts = [f"{source} {at}" for at in range(60)]
        store.apply(batch(f"s{source}", texts, meta={"of": source}, access=["board"] if source else []))
    keeper._connection.execute("SET enable_seqscan = off")
    keeper._connection.execute("SET enable_sort = off")
    near = (
        f"SELECT piece FROM {keeper._names['pieces']} ORDER BY vector::vector({WIDTH}) <#> '[1,0,0,0,0,0,0,0]' LIMIT 9"
    )
    assert f"{keeper._names['graph']}" in str(keeper._connection.execute(f"EXPLAIN {near}".encode()).fetchall())
    # The graph is walked on until as many are found as are wanted, however few are let through.
    query = embed(["query"])[0]
    vectors = embed([f"Title\n2 {at}" for at in range(60)])
    best = [f"2 {at}" for at in np.argsort(-(vectors @ query))[:10]]
    hits = store.search(Query(vector=query, filter=Equals("of", 2), access=frozenset({"board"})))
    assert [hit.chunk.text for hit in hits] == best
    assert {hit.chunk.source for hit in store.search(Query(vector=query))} == {"s0"}
    shown = [keeper._connection.execute(f"SHOW hnsw.{name}".encode()).fetchone()[0] for name in LIMITS]
    assert shown == ["2147483647", "1000"]  # the most there is: neither rows nor memory end a walk early


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "sesame")
    store = KeptStore(PostgresKeeper("postgresql://me@127.0.0.1:9/none"))
    with pytest.raises(UserError, match="cannot be reached") as caught:
        store.sources()
    assert "sesame" not in f"{caught.value}{caught.value.hint}"
