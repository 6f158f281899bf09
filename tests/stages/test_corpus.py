"""`dragoman corpus` makes shards of raw text: what is kept is whole, what is not is counted, and the bytes are the same
each time."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.shards import PARTS, Corpus, open_corpus
from dragoman.core.show import Board
from dragoman.data.quality import Quality
from dragoman.nn.recipe import Training
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.corpora import build
from dragoman.stages.corpus import Settings
from tests.command import dragoman
from tests.data.test_sketch import changed, some_text

HOW = Training(size=400)


def rows(count: int = 60) -> list[str]:
    dice = np.random.default_rng(9)
    texts = [some_text(dice, 60) for _ in range(count)]
    return [*texts, texts[3], changed(texts[5], 3, dice), "no", "Ask jane@example.org, who was there with us."]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(rows())]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "poem.txt").write_text(
        "Tyger Tyger, burning bright,\nIn the forests of the night;\n\n" * 3 + "The end.\n"
    )
    return tmp_path


def built(**given: Any) -> Corpus:
    return build(Settings(**{"source": "rows.jsonl", "how": HOW, "workers": 1, **given}), Board("corpus"))


def texts_of(corpus: Corpus, part: str, source: int = 0) -> list[str]:
    documents, tokens = corpus.part(part)[source], Tokenizer(corpus.tokenizer)
    begins = [0, *documents.ends.tolist()]
    return [tokens.decode(documents.read(begin, end).tolist()) for begin, end in pairwise(begins)]


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_is_kept_comes_back_and_what_is_not_is_counted(here: Path) -> None:
    corpus = built(held_out=0.1)
    found = texts_of(corpus, "train") + texts_of(corpus, "validation")
    wanted = [*rows()[:60], "Ask ja...[e-mail], who was there with us."]
    assert sorted(found) == sorted(wanted)
    assert 0.05 < corpus.part("validation")[0].bytes / sum(corpus.part(part)[0].bytes for part in PARTS) < 0.15
    assert corpus.part("train")[0].sizes.tolist() == [len(text.encode()) for text in texts_of(corpus, "train")]
    told = corpus.facts["sources"][0]
    assert told["dropped"] == {"short": 1} and told["examples"] == {"short": ["no"]}
    assert told["double_documents"] == {"exact": 1, "near": 1} and told["masked"] == {"e-mail": 1}
    assert told["read"]["documents"] == 64 and told["unknown_tokens"] == 0
    assert [row["name"] for row in corpus.facts["filters"]] == ["short", "exact-double", "near-double"]
    assert durable.problems(corpus.folder) == []
    assert not list(here.glob(".corpus*"))


def test_the_same_bytes_whatever_the_workers_and_blocks(here: Path) -> None:
    built(out="one", block="1 GB", source="rows.jsonl poem.txt")
    built(out="two", block="5 kB", source="rows.jsonl poem.txt", workers=2)
    assert tree(here / "one") == tree(here / "two")


def test_a_corpus_that_stands_is_opened_and_another_is_built(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built()
    before = (here / "corpus" / "corpus.json").stat().st_ino
    built(workers=2, block="1 MB")
    assert (here / "corpus" / "corpus.json").stat().st_ino == before
    assert built(mask="none").facts["settings"]["mask"] == "none"
    (here / "rows.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in rows(70)))
    assert built(mask="none").facts["sources"][0]["read"]["documents"] == 74
    (here / "corpus" / "train-0" / "tokens-0000.bin").write_bytes(b"damaged")
    assert durable.problems(built(mask="none").folder) == []


def test_a_single_document_is_cut_in_two(here: Path) -> None:
    text = "".join(f"A line of verse, number {number}\nand its second line.\n\n" for number in range(200))
    (here / "poem.txt").write_text(text)
    corpus = built(source="poem.txt", tokenizer="characters", held_out=0.1)
    train, unseen = texts_of(corpus, "train"), texts_of(corpus, "validation")
    assert len(train) == len(unseen) == 1 and train[0] + unseen[0] == text
    assert train[0].endswith("\n\n") and abs(len(unseen[0]) / len(text) - 0.1) < 0.01
    assert corpus.facts["vocabulary"] == len(set(train[0])) + 2


def test_sources_are_mixed_by_weight(here: Path) -> None:
    corpus = built(source="rows.jsonl poem.txt", weights=(1.0, 3.0))
    assert corpus.weights == (0.25, 0.75)
    assert [documents.name for documents in corpus.part("train")] == ["rows.jsonl", "poem.txt"]
    natural = built(source="rows.jsonl poem.txt", out="natural")
    tokens = [documents.tokens for documents in natural.part("train")]
    assert natural.weights == pytest.approx([count / sum(tokens) for count in tokens])


def test_a_tokenizer_that_is_given_is_used(here: Path) -> None:
    first = built(out="one")
    again = built(out="two", tokenizer="one/tokenizer", sample="1 kB")
    assert again.facts["tokenizer"]["from"] == "one/tokenizer"
    assert [again.part("train")[0].digest] == [first.part("train")[0].digest]
    small = built(out="three", sample="9 kB")
    assert 0 < small.facts["tokenizer"]["trained_bytes"] < first.facts["tokenizer"]["trained_bytes"] / 2


def test_everything_can_be_turned_off(here: Path) -> None:
    corpus = built(clean=False, mask="none", doubles=False, quality=Quality(preset="none"))
    assert sorted(texts_of(corpus, "train") + texts_of(corpus, "validation")) == sorted(rows())


def test_rows_that_cannot_be_read(here: Path) -> None:
    (here / "rows.jsonl").write_text((here / "rows.jsonl").read_text() + "{broken\n")
    with pytest.raises(UserError, match="1 problem in rows"):
        built()
    assert built(keep_going=True).facts["sources"][0]["problems"]["malformed"] == 1


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"source": ""}, "no text is named"),
        ({"source": "nowhere.txt"}, r"there is no file nowhere\.txt"),
        ({"source": "rows.jsonl rows.jsonl"}, "named twice"),
        ({"weights": (1.0, 2.0)}, "2 weights are given for 1 sources"),
        ({"weights": (0.0,)}, "not above zero"),
        ({"held_out": 0.0}, "held_out cannot be 0"),
        ({"near": 0.2}, "near cannot be"),
        ({"mask": "some"}, "mask cannot be 'some'"),
        ({"languages": ("english",)}, "no hint for a language"),
        ({"languages": ("fi",)}, "none is left to learn from: dropped were: language 63, short 1"),
        ({"quality": Quality(min_words=1e6)}, "none is left to learn from: dropped were: short 64"),
        ({"tokenizer": "nowhere"}, "there is no tokenizer 'nowhere'"),
        ({"block": "much"}, 'block cannot be "much"'),
        ({"paragraph": -1}, "paragraph, workers or split"),
        ({"out": "full"}, "holds something that is no corpus"),
        ({"column": "words"}, "no row has the column 'words'"),
    ],
)
def test_one_message_for_each_mistake(given: dict[str, Any], what: str, here: Path) -> None:
    (here / "full").mkdir()
    (here / "full" / "letter.txt").write_text("Dear Jane")
    with pytest.raises(UserError, match=what):
        built(**given)
    assert not (here / "corpus").exists()


def test_the_command(here: Path) -> None:
    said = dragoman("corpus", "rows.jsonl poem.txt", "weights=[3,1]", "size=400", "workers=1", "--json", folder=here)
    assert said.code == 0 and said.json["weights"] == [0.75, 0.25]
    shown = dragoman("corpus", "rows.jsonl poem.txt", "weights=[3,1]", "size=400", folder=here)
    for part in ("stood twice", "what was dropped", "e-mail 1", "rows.jsonl"):
        assert part in shown.whole
    assert open_corpus(here / "corpus").facts["settings"]["how"]["size"] == 400


def test_a_play_survives_whole(shared_data: Path, here: Path) -> None:
    path = shared_data / "pretrain" / "tinyshakespeare.txt"
    corpus = built(source=str(path), tokenizer="characters", held_out=0.1)
    parts = [corpus.part(part)[0] for part in PARTS]
    letters = np.array(sorted(set(path.read_text())))
    assert "".join("".join(letters[part.read(0, part.tokens)]) for part in parts) == path.read_text()
    assert corpus.facts["vocabulary"] == 65 + 2
