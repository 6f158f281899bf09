"""What is compared for drift: the inputs of requests, and a sample of what the served run learnt from, kept once."""

import json
import random
from pathlib import Path

import pytest

from dragoman.app.ngrams import Ngrams
from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.core.types import Example, Message
from dragoman.data.examples import write_examples
from dragoman.stages import watch_inputs
from dragoman.stages.prepare import PARTS
from dragoman.stages.watch_inputs import Watching, asked_in, newest, prepared_of, reference_of, texts_of
from tests.nn.tiny import encoder_folder
from tests.serve.planted import HOUR, NOW, plant, said

DAY, WEEK = 24 * HOUR, 8 * 24 * HOUR


def made_runs(root: Path, rows: int = 60) -> tuple[Run, Run]:
    """A prepared run with training rows of the same making as the planted journals, and a rung on it."""
    source = random.Random(3)
    prepared = Run.begin(root, "prepare", {"seed": 0}, {"data": "rows"})
    examples = [Example((Message("user", said(source)),), ("yes",)) for _ in range(rows)]

    def fill(stage: Path) -> None:
        write_examples(stage / "train.jsonl", examples)

    durable.publish(prepared.folder / PARTS, fill)
    prepared = prepared.finish({}, [PARTS])
    return prepared, Run.begin(root, "lora", {"seed": 0}, {"a-model": "f" * 64, "parts": prepared}).finish({})


def test_the_inputs_of_a_request() -> None:
    assert texts_of('["a", " ", "b"]') == ["a", "b"] and texts_of('"a"') == ["a"]
    dialogue = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "user", "content": "v"}]
    assert texts_of(json.dumps(dialogue)) == ["u\nv"]
    assert texts_of("") == texts_of("{}") == texts_of('[{"role": "user", "content": [1]}]') == []


def test_the_newest_requests_of_the_model_that_answers_now(tmp_path: Path) -> None:
    path = plant(tmp_path / "j.sqlite")
    kept = newest(path, NOW - DAY, NOW, 10)
    assert len(kept) == 10 and kept[0].number > kept[-1].number
    asked = asked_in(kept, 4)
    assert len(asked.texts) == 4 and asked.run == "train-1"
    assert asked_in([], 4).texts == ()


def test_a_run_leads_to_what_it_learnt_from(tmp_path: Path) -> None:
    prepared, rung = made_runs(tmp_path)
    judged = Run.begin(tmp_path, "judge", {}, {"rung": rung}).finish({})
    assert [one.id for name in (judged.id, rung.id, prepared.id) if (one := prepared_of(tmp_path, name))] == [
        prepared.id
    ] * 3
    assert prepared_of(tmp_path, "../x") is None and prepared_of(tmp_path, "") is None


def test_the_reference_is_made_once_and_again_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, _ = made_runs(tmp_path)
    first = reference_of(tmp_path, prepared, "words", Ngrams())
    (folder,) = tmp_path.glob("reference-*")
    assert len(first.inputs.lengths) == 60 and not durable.problems(folder)
    assert b"tea" not in (folder / "reference.json").read_bytes()
    monkeypatch.setattr(watch_inputs, "_sample", lambda prepared: 1 / 0)
    assert (reference_of(tmp_path, prepared, "words", Ngrams()).inputs.vectors == first.inputs.vectors).all()
    (folder / "vectors.npy").write_bytes(b"x")
    with pytest.raises(ZeroDivisionError):
        reference_of(tmp_path, prepared, "words", Ngrams())
    monkeypatch.undo()
    few, _ = made_runs(tmp_path / "few", 5)
    with pytest.raises(UserError, match="only 5"):
        reference_of(tmp_path / "few", few, "words", Ngrams())


def test_drift_against_training_and_against_the_time_before(tmp_path: Path) -> None:
    prepared, rung = made_runs(tmp_path)
    lineage = json.dumps({"run": rung.id, "data": "d1"})
    times = (NOW - DAY, NOW, NOW - WEEK)
    quiet = Watching(plant(tmp_path / "q.sqlite", lineage=lineage), tmp_path, "words")
    drift, against = quiet.look(*times)
    assert drift is not None and drift.p > 0.01 and prepared.id in against
    assert quiet.look(*times)[0] == drift
    moved = Watching(plant(tmp_path / "m.sqlite", wrong="drift", lineage=lineage), tmp_path, "words")
    drift, _ = moved.look(*times)
    assert drift is not None and drift.p < 0.01 and drift.stability > 0.2
    before = Watching(plant(tmp_path / "b.sqlite", wrong="drift"), tmp_path, "words")
    drift, against = before.look(*times)
    assert drift is not None and drift.p < 0.01 and against == "what was asked before"
    few = Watching(plant(tmp_path / "f.sqlite", each=5), tmp_path, "words").look(*times)
    assert few[0] is None and "5 inputs" in few[1]


def test_an_encoder_that_was_changed_in_its_place_is_another(tmp_path: Path) -> None:
    prepared, _ = made_runs(tmp_path / "runs")
    encoder = encoder_folder("bert", tmp_path / "encoder")
    settings = (encoder / "config.json").read_text(encoding="utf-8")
    for end in ("\n", "\n\n"):
        (encoder / "config.json").write_text(settings + end, encoding="utf-8")
        reference_of(tmp_path / "runs", prepared, str(encoder), Ngrams())
        reference_of(tmp_path / "runs", prepared, str(encoder), Ngrams())
    assert len(list((tmp_path / "runs").glob("reference-*"))) == 2
