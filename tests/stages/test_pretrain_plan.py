"""What pretraining chooses by itself: a size that fits, rows and parts that fit the memory, steps that fit the time."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.shards import Corpus, open_corpus
from dragoman.nn.footprint import count
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages import pretrain_plan
from dragoman.stages.pretrain_plan import Wanted, choose
from dragoman.train import machine
from tests.command import dragoman
from tests.stories.test_pretrain import write_texts

WANTED = Wanted("clm", {}, "", "auto", "", 20.0, "", "", {"device": "cpu", "max_length": 32})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("plan")
    write_texts(folder / "texts")
    told = dragoman("corpus", "texts", "out=corpus", "how.size=320", "workers=1", folder=folder)
    assert told.code == 0, told.whole
    return open_corpus(folder / "corpus")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that needs no measuring, so that nothing depends on how busy it is."""
    known = machine.Machine("cpu", "test", 1e11, 3e11, 5e10, 1e11, 1e10, 2**33)
    monkeypatch.setattr(machine, "measure_machine", lambda *_: known)
    monkeypatch.setattr(pretrain_plan, "_speed", lambda *_: 20_000.0)
    return iter([None])  # type: ignore[return-value]


def chosen(corpus: Corpus, **change: Any) -> Any:
    return choose(replace(WANTED, **change), corpus, Tokenizer(corpus.tokenizer), lambda done, text="": None)


def test_everything_is_chosen_for_the_time(corpus: Corpus) -> None:
    found = chosen(corpus)
    how = found.how
    assert found.arch.family == "qwen3"
    assert how.optimizer == "muon"
    assert found.arch.vocabulary % 64 == 0
    assert found.arch.vocabulary >= Tokenizer(corpus.tokenizer).size
    learnt = how.steps * how.batch * how.max_length
    assert learnt == pytest.approx(20.0 * 0.9 * 20_000, rel=0.05)
    assert found.epochs == pytest.approx(learnt / sum(part.tokens for part in corpus.part("train")))
    assert any("read" in note for note in found.notes) == (found.epochs > 4)
    assert found.memory > found.prediction.memory.total
    assert found.seconds >= learnt / 20_000


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"train": {**WANTED.train, "steps": 7}}, 7),
        ({"tokens": "2560", "train": {**WANTED.train, "batch": 8}}, 10),
        ({"tokens": "2561", "train": {**WANTED.train, "batch": 8}}, 11),
    ],
)
def test_steps_as_they_are_said(corpus: Corpus, change: dict[str, Any], steps: int) -> None:
    assert chosen(corpus, size="100K", **change).how.steps == steps


@pytest.mark.parametrize(("objective", "family"), [("mlm", "bert"), ("span", "t5"), ("clm", "gpt2")])
def test_a_size_is_met_in_every_family(corpus: Corpus, objective: str, family: str) -> None:
    found = chosen(corpus, objective=objective, family=family, size="300K")
    assert found.arch.family == family
    assert count(found.arch).total == pytest.approx(300_000, rel=0.15)


def test_what_does_not_fit_is_cut_into_parts_or_refused_with_what_fits(corpus: Corpus) -> None:
    roomy = chosen(corpus, size="300K", train={**WANTED.train, "batch": 64})
    assert roomy.how.accumulation == 1
    held = roomy.memory - roomy.prediction.memory.total
    tight = f"{(held + roomy.prediction.memory.total // 2) // 1024} KiB"
    cut = chosen(corpus, size="300K", memory=tight, train={**WANTED.train, "batch": 64})
    assert cut.how.accumulation > 1
    with pytest.raises(UserError, match="needs") as caught:
        chosen(corpus, size="300K", memory=tight, train={**WANTED.train, "batch": 64, "accumulation": 1})
    fits = int(caught.value.hint.split("train.accumulation=")[1].split()[0])
    given = {**WANTED.train, "batch": 64, "accumulation": fits}
    assert chosen(corpus, size="300K", memory=tight, train=given).how.accumulation == fits
    with pytest.raises(UserError):
        chosen(corpus, memory="1 MiB")
