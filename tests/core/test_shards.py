"""A corpus on disk gives back the tokens, borders and sizes that were written, and says when a file is another."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.core.shards import Corpus, Documents, Writer, dtype_of, open_corpus, seal

LINES = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]]
SIZES = [10, 2, 0, 17]


def written(folder: Path, vocabulary: int = 100, shard: int = 4) -> Corpus:
    entries: dict[str, list[dict[str, object]]] = {"train": [], "validation": []}
    for part, rows in (("train", LINES), ("validation", LINES[:1])):
        for number, name in enumerate(("one", "two")):
            with Writer(folder / f"{part}-{number}", name, vocabulary, shard) as writer:
                for ids, size in zip(rows, SIZES, strict=False):
                    writer.add(np.array(ids, np.int64), np.array([len(ids)]), np.array([size]))
                entries[part].append(writer.close())
    (folder / "tokenizer").mkdir()
    seal(folder, vocabulary, [1, 3], entries, {"said": "hello"})
    return open_corpus(folder)


@pytest.mark.parametrize("vocabulary", [100, 1 << 16, (1 << 16) + 1])
def test_what_is_written_is_read_across_shards(tmp_path: Path, vocabulary: int) -> None:
    corpus = written(tmp_path, vocabulary)
    flat = [token for ids in LINES for token in ids]
    found = corpus.part("train")[1]
    assert (found.name, found.tokens, found.bytes) == ("two", 9, 29)
    assert found.ends.tolist() == [3, 4, 4, 9]
    assert found.sizes.tolist() == SIZES
    assert len(found.shards) == 3
    for start in range(10):
        for stop in range(start, 10):
            assert found.read(start, stop).tolist() == flat[start:stop]
    assert found.read(0, 9).dtype == np.int64
    assert corpus.weights == (0.25, 0.75)
    assert corpus.facts["said"] == "hello"
    assert corpus.tokenizer == tmp_path / "tokenizer"
    assert (tmp_path / "train-0" / "tokens-0000.bin").stat().st_size == 4 * (2 if vocabulary <= 1 << 16 else 4)


def test_the_digest_is_of_tokens_and_borders_alone(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    (tmp_path / "narrow").mkdir()
    wide, narrow = written(tmp_path / "wide", 1 << 17, 3), written(tmp_path / "narrow", 100, 1000)
    held = Documents.of("one", LINES, SIZES)
    assert wide.part("train")[0].digest == narrow.part("train")[0].digest == held.digest
    assert held.read(2, 5).tolist() == [3, 4, 5]
    others = [[[1, 2, 3, 4], [], [], [5, 6, 7, 8, 9]], [[1, 2, 3], [4], [], [5, 6, 7, 8, 0]], LINES[:2]]
    assert len({held.digest, *(Documents.of("one", rows, [1] * len(rows)).digest for rows in others)}) == 4


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.integers(0, 1 << 18), max_size=5), max_size=6), st.integers(1, 7))
def test_any_documents_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], shard: int) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    with Writer(folder / "train-0", "any", 1 << 19, shard) as writer:
        flat = np.array([token for ids in rows for token in ids], np.int64)
        writer.add(flat, np.array([len(ids) for ids in rows], int), np.ones(len(rows), int))
        entry = writer.close()
    with Writer(folder / "validation-0", "any", 1 << 19) as writer:
        empty = writer.close()
    seal(folder, 1 << 19, [2.0], {"train": [entry], "validation": [empty]}, {})
    corpus = open_corpus(folder)
    found = corpus.part("train")[0]
    assert found.read(0, found.tokens).tolist() == flat.tolist()
    assert found.digest == Documents.of("any", rows, [1] * len(rows)).digest
    assert corpus.part("validation")[0].read(0, 0).tolist() == []


def test_tokens_that_are_not_there_are_refused(tmp_path: Path) -> None:
    found = written(tmp_path).part("train")[0]
    for start, stop in ((-1, 2), (0, 10), (5, 4)):
        with pytest.raises(IndexError):
            found.read(start, stop)


def test_ids_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with Writer(tmp_path / "train-0", "one", 10) as writer:
        with pytest.raises(ValueError, match="do not fit"):
            writer.add(np.array([1 << 16]), np.array([1]), np.array([1]))
        with pytest.raises(ValueError, match="add up"):
            writer.add(np.array([1]), np.array([2]), np.array([1]))
    with pytest.raises(ValueError, match="sizes"):
        Documents.of("one", [[1]], [])
    assert (dtype_of(1 << 16), dtype_of((1 << 16) + 1)) == ("<u2", "<u4")


def test_a_folder_that_is_no_corpus_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no corpus\.json"):
        open_corpus(tmp_path)
    for text in ("{", "[]", '{"format": 1}', '{"format": 1, "vocabulary": 5, "weights": 3}'):
        (tmp_path / "corpus.json").write_text(text)
        with pytest.raises(UserError, match="cannot be read"):
            open_corpus(tmp_path)
    (tmp_path / "corpus.json").write_text('{"format": 2}')
    with pytest.raises(UserError, match="format 2"):
        open_corpus(tmp_path)


def test_a_file_of_another_size_is_told(tmp_path: Path) -> None:
    written(tmp_path)
    for name in ("tokens-0001.bin", "ends.bin", "sizes.bin"):
        file = tmp_path / "train-1" / name
        old = file.read_bytes()
        file.write_bytes(old[:-1])
        with pytest.raises(UserError, match="bytes instead of"):
            open_corpus(tmp_path)
        file.unlink()
        with pytest.raises(UserError, match="is missing"):
            open_corpus(tmp_path)
        file.write_bytes(old)
    open_corpus(tmp_path)


def test_facts_that_contradict_the_files_are_told(tmp_path: Path) -> None:
    written(tmp_path)
    facts = json.loads((tmp_path / "corpus.json").read_text())
    facts["parts"]["train"][0]["tokens"] += 1
    (tmp_path / "corpus.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="does not hold the 10 tokens"):
        open_corpus(tmp_path)
    facts["parts"]["train"][0]["tokens"] -= 1
    facts["weights"] = [1.0]
    (tmp_path / "corpus.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="fit together"):
        open_corpus(tmp_path)
