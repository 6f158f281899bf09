"""One file holds it all: spaces of vectors change at once, other processes are seen, and damage is found."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dragoman.core.documents import Query
from dragoman.core.errors import Busy, UserError
from dragoman.rag.store import SqliteStore
from tests.rag.shelves import WIDTH, batch, embed, removal

RED, BLUE = "the red car is in the garage", "a blue bicycle stands in the garden"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a store lies."""
    return tmp_path / "index.db"


def test_a_text_is_held_once_and_embedded_once(file: Path) -> None:
    store = SqliteStore(file)
    store.apply(batch("a", [RED, BLUE, RED]))
    assert {*store.vectors_of([f"Title\n{RED}", "new"])} == {f"Title\n{RED}"}
    receipt = store.apply(batch("b", [BLUE], vectors=False))  # nothing of it has to be embedded
    assert receipt.added == 1
    with sqlite3.connect(file) as peek:
        assert peek.execute("SELECT count(*) FROM texts").fetchone() == (2,)
        assert peek.execute("SELECT count(*) FROM vectors").fetchone() == (2,)
    peek.close()
    assert len(store.search(Query(vector=embed([f"Title\n{BLUE}"])[0]))) == 4
    store.apply(removal("a"))
    assert store.vectors_of([f"Title\n{RED}", f"Title\n{BLUE}"]).keys() == {f"Title\n{BLUE}"}
    assert store.verify().problems == () and store.verify().chunks == 1
    store.close()


def test_what_was_put_is_there_after_opening_again(file: Path) -> None:
    store = SqliteStore(file, model="m1")
    given = batch("a", [RED, BLUE], access=["board"], meta={"year": 3})
    store.apply(given)
    query = Query("bicycle", embed(["q"])[0], access=frozenset({"board"}))
    before = store.search(query)
    store.close()
    again = SqliteStore(file)
    assert tuple(again.scan()) == given.chunks and again.sources() == {"a": "1"}
    assert again.search(query) == before and len(before) == 2
    assert again.problems() == {"a": ("page 2 holds no text: it is a scan",)}
    verified = again.verify()
    assert (verified.sources, verified.chunks, verified.problems, verified.model) == (1, 2, (), "m1")
    again.close()


def test_another_model_fills_its_space_beside_and_is_switched_to_at_once(file: Path) -> None:
    store = SqliteStore(file)
    store.apply(batch("a", [RED, BLUE]))
    store.begin_space("new", 16)
    store.begin_space("new", 16)
    with pytest.raises(UserError, match="not 8"):
        store.begin_space("new", 8)
    with pytest.raises(UserError, match="2 texts have no vector"):
        store.switch("new")
    assert store.missing("new") == [f"Title\n{RED}", f"Title\n{BLUE}"] and len(store.missing("new", 1)) == 1
    first = store.missing("new", 1)
    assert (
        store.put_vectors("new", dict(zip(first, embed(first, 16), strict=True)) | {"unheard": embed(["u"], 16)[0]})
        == 1
    )
    store.apply(batch("b", ["a green train"]))  # what comes meanwhile goes into the space that is searched
    assert store.search(Query(vector=embed(["x"])[0]))[0].dense is not None
    with pytest.raises(UserError, match="8"):
        store.put_vectors("new", {f"Title\n{BLUE}": embed(["x"], WIDTH)[0]})
    while lacking := store.missing("new", 1):
        assert store.put_vectors("new", dict(zip(lacking, embed(lacking, 16), strict=True))) == 1
    assert store.verify().problems == () and store.space() == "unnamed"
    store.switch("new")
    assert store.space() == "new" == store.verify().model and store.verify().problems == ()
    assert store.search(Query(vector=embed([f"Title\n{BLUE}"], 16)[0], k=1))[0].chunk.text == BLUE
    with pytest.raises(UserError, match="the store 16"):
        store.search(Query(vector=embed(["x"])[0]))
    with pytest.raises(UserError, match="no space"):
        store.missing("unnamed")
    store.close()


def test_words_first_and_vectors_later(file: Path) -> None:
    store = SqliteStore(file)
    store.apply(batch("a", [RED], vectors=False))
    assert len(store.search(Query("car", embed(["x"])[0]))) == 1 and store.space() == ""
    with pytest.raises(UserError, match="1 texts have no vector"):
        store.apply(batch("b", [BLUE]))
    assert store.space() == "" and store.sources() == {"a": "1"}
    store.begin_space("m", WIDTH)
    lacking = store.missing("m")
    store.put_vectors("m", dict(zip(lacking, embed(lacking), strict=True)))
    store.switch("m")
    store.apply(batch("b", [BLUE]))
    assert len(store.search(Query(vector=embed(["x"])[0]))) == 2
    other = SqliteStore(file, model="another")
    with pytest.raises(UserError, match="'m'"):
        other.apply(batch("c", ["a green train"]))
    other.close()
    store.close()


def test_what_another_process_writes_is_found(file: Path) -> None:
    here, there = SqliteStore(file), SqliteStore(file)
    here.apply(batch("a", [RED]))
    assert len(there.search(Query("car"))) == 1
    for number in range(30):  # so many that rows that are gone are cleared away more than once
        there.apply(batch("a", [f"{RED} number{number}"], str(number + 2)))
        assert [hit.chunk.text for hit in here.search(Query(f"number{number}", embed(["x"])[0]))] == [
            f"{RED} number{number}"
        ]
    assert here.search(Query("number3")) == []
    here.close()
    there.close()


def test_a_writer_that_takes_too_long_is_said_to_be_busy(file: Path) -> None:
    store, other = SqliteStore(file, wait=0.05), sqlite3.connect(file, isolation_level=None)
    store.apply(batch("a", [RED]))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy):
        store.apply(batch("b", [BLUE]))
    assert len(store.search(Query("car"))) == 1  # reading waits for nobody
    other.execute("ROLLBACK")
    assert store.apply(batch("b", [BLUE])).added == 1
    other.close()
    store.close()


def test_threads_share_a_store(file: Path) -> None:
    store = SqliteStore(file)
    store.apply(batch("a", [RED]))
    wrong: list[object] = []

    def work(own: int) -> None:
        try:
            for turn in range(10):
                store.apply(batch(f"t{own}", [f"{BLUE} {own}"], str(turn)))
                wrong.extend(hit for hit in store.search(Query("car", k=5)) if hit.chunk.text != RED)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(own,)) for own in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(store.sources()) == 5 and store.verify().problems == ()
    store.close()


def test_languages(file: Path) -> None:
    store = SqliteStore(file)
    store.apply(batch("en", ["The cars of the city are not in the street, and it is for that."], vectors=False))
    store.apply(batch("de", ["Die Häuser der Stadt sind nicht in der Straße, und das ist auch so."], vectors=False))
    store.apply(batch("told", ["Häuser"], meta={"language": "de"}, vectors=False))
    assert [hit.chunk.source for hit in store.search(Query("car"))] == ["en"]
    assert {hit.chunk.source for hit in store.search(Query("Haus"))} == {"de", "told"}
    store.close()


DAMAGE = (
    ("UPDATE chunks SET body = 'forged' WHERE id = 1", "is not what was put there"),
    ("UPDATE labels SET access = '[\"all\"]'", "is not what was put there"),
    ("DELETE FROM chunks WHERE id = 1", "1 pieces, and 2 in the manifest"),
    ("DELETE FROM sources", "2 pieces of no source"),
    ("DELETE FROM vectors WHERE text = 1", "1 texts without a vector"),
    ("DELETE FROM texts WHERE id = 1", "1 pieces whose text is gone"),
    ("UPDATE chunks SET text = 2", "names the text of another"),
    ("UPDATE vectors SET vector = x'00000000'", "2 vectors that are not of length 1"),
    ("UPDATE sources SET hash = x'00'", "its pieces are not those of the manifest"),
    ("UPDATE settings SET value = 9 WHERE name = 'space'", "texts without a vector"),
    ("UPDATE chunks SET parent = 7", "whose parent is gone"),
)


@pytest.mark.parametrize(("sql", "said"), DAMAGE)
def test_damage_is_found(file: Path, sql: str, said: str) -> None:
    store = SqliteStore(file)
    store.apply(batch("a", [RED, BLUE]))
    with sqlite3.connect(file) as forger:
        forger.execute(sql)
    forger.close()
    assert any(said in problem for problem in store.verify().problems), store.verify().problems
    store.close()


def test_files_of_something_else_are_refused_and_left_alone(file: Path, tmp_path: Path) -> None:
    file.write_text("no database, and longer than a header of one " * 10)
    with pytest.raises(UserError, match="is not a store"):
        SqliteStore(file)
    assert file.read_text().startswith("no database")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as made:
        made.execute("CREATE TABLE mine (a)")
    made.close()
    with pytest.raises(UserError, match="something else"):
        SqliteStore(other)
    later = tmp_path / "later.db"
    SqliteStore(later).close()
    with sqlite3.connect(later) as made:
        made.execute("PRAGMA user_version = 99")
    made.close()
    with pytest.raises(UserError, match="later version"):
        SqliteStore(later)
    with pytest.raises(UserError, match="no folder"):
        SqliteStore(tmp_path / "none" / "index.db")
    with pytest.raises(UserError, match="cannot be opened"):
        SqliteStore(tmp_path)


def test_prompts_are_kept_by_what_they_say(file: Path) -> None:
    store = SqliteStore(file)
    first, second = store.keep_prompt("answer", "Say it."), store.keep_prompt("answer", "Say it well.")
    assert first == store.keep_prompt("answer", "Say it.") != second
    assert store.prompt("answer", first) == "Say it." and store.prompt("answer", second) == "Say it well."
    with pytest.raises(UserError, match="no prompt"):
        store.prompt("other", first)
    store.close()


def test_past_a_number_of_vectors_the_graph_answers(file: Path) -> None:
    pytest.importorskip("faiss")
    store, exact = SqliteStore(file, exact_up_to=50), SqliteStore(file)
    texts = [f"text {number}" for number in range(300)]
    store.apply(batch("a", texts))
    store.apply(batch("b", texts[:20], access=["board"]))

    def shares(names: Sequence[str]) -> float:
        found = []
        for name in names:
            query = Query("text", embed([name])[0], 10)
            ours, right = store.search(query), exact.search(query)
            found.append(len({hit.chunk.number for hit in ours} & {hit.chunk.number for hit in right}) / len(right))
            assert all(hit.chunk.source == "a" for hit in ours)
        return float(np.mean(found))

    assert shares([f"q{number}" for number in range(20)]) > 0.95
    store.apply(batch("a", texts[20:], "2"))
    assert shares(["x", "y"]) > 0.95
    exact.close()
    store.close()


def test_facts_are_noted_in_the_place_of_what_they_were(file: Path) -> None:
    store = SqliteStore(file)
    assert store.noted("facts") == ""
    store.note("facts", "one")
    store.note("facts", "two")
    store.close()
    again = SqliteStore(file)
    assert again.noted("facts") == "two"
    again.close()


def test_a_sealed_file_is_read_without_a_trace_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    store = SqliteStore(path)
    store.note("made", "once")
    store.close()
    before = path.read_bytes()
    sealed = SqliteStore(path, sealed=True)
    assert sealed.noted("made") == "once" and sealed.sources() == {}
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sealed.note("made", "twice")
    sealed.close()
    assert [one.name for one in tmp_path.iterdir()] == ["one.sqlite"] and path.read_bytes() == before
