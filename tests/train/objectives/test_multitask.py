"""Many tasks at once: who is drawn, what is learnt, and that a killed run goes on with the same rows."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.core.types import Example
from dragoman.train.doors import OBJECTIVES
from dragoman.train.fitting import Lesson
from dragoman.train.held_out import hold_lesson
from dragoman.train.objectives.multitask import Multitask
from dragoman.train.objectives.sft import Sft
from dragoman.train.packing import Texts
from tests.train.lessons import HOW, begun, kit, lessons, model, steps

ROWS = [*lessons(40, 1, task="many"), *lessons(10, 2, task="few")]
ONE = Multitask(pack=False)


def encoded(objective: Multitask, rows: list[Example] = ROWS, replay: Texts | None = None) -> Any:
    return objective.encode(model(objective.of), Lesson(rows, replay), kit(objective.of))


def test_rows_come_from_tasks_by_their_size() -> None:
    made = encoded(ONE)
    assert made.names == ("many", "few") and made.mixing.shares == pytest.approx((0.8, 0.2), abs=1e-12)
    assert encoded(replace(ONE, cap=10)).mixing.shares == pytest.approx((0.5, 0.5), abs=1e-12)
    assert encoded(replace(ONE, temperature=math.inf)).mixing.shares == pytest.approx((0.5, 0.5), abs=1e-12)
    assert encoded(replace(ONE, temperature=2.0)).mixing.shares == pytest.approx((2 / 3, 1 / 3), abs=1e-12)
    drawn = Counter(row.name.split(".")[0] for step in range(150) for row in made.batch(step, 4))
    assert drawn["e1"] / 600 == pytest.approx(0.8, abs=0.05)


def test_a_packed_row_holds_examples_of_one_task() -> None:
    made = encoded(Multitask())
    rows = [[name.split(".")[0] for name in made.row(number).name.split("+")] for number in range(len(made.rows))]
    assert len(rows) < 20 and all(len(set(tasks)) == 1 for tasks in rows)


@pytest.mark.parametrize("of", ["sft", "seq2seq"])
def test_it_learns_all_of_them_with_either_kind_of_model(of: Any) -> None:
    training = begun(Multitask(of=of), replace(HOW, steps=20), ROWS)
    found = steps(training)
    assert found[-1].loss < 0.4 * found[0].loss
    mixed: Any = training.encoded
    measured = hold_lesson(training.net.eval(), Multitask(of=of), mixed, training.kit, most=2)
    assert measured.labels > 0 and measured.loss < 0.4 * found[0].loss


def test_one_task_is_that_task() -> None:
    rows = lessons(12)
    made, plain = encoded(Multitask(), rows), Sft().encode(model(), Lesson(rows), kit())
    assert made.names == ("",) and made.parts[0] == plain
    net, batch = model(), next(Sft().stream(model(), plain, kit(), 0))[0]
    assert Multitask().loss(net, batch, kit()).total.item() == Sft().loss(net, batch, kit()).total.item()


def test_a_killed_run_goes_on_with_the_same_rows() -> None:
    whole = steps(begun(ONE, replace(HOW, steps=30), ROWS))
    for start in (0, 7, 29):
        again = begun(ONE, replace(HOW, steps=30), ROWS)
        mixed: Any = again.encoded
        batches = next(ONE.stream(again.net, mixed, again.kit, start))
        assert tuple(name for batch in batches for name in batch.names) == whole[start].examples


def test_old_text_is_replayed() -> None:
    old = Texts((Documents.of("old", [[30, 31, 32]] * 40, [3] * 40),))
    made = encoded(Multitask(replay=0.25), replay=old)
    assert [row.name.startswith("replay:") for row in made.batch(0, 3)] == [False] * 3 + [True]
    assert encoded(Multitask(), replay=old).replay is None


def test_what_is_refused() -> None:
    for given, what in (
        ({"cap": 0}, "cap"),
        ({"temperature": 0.0}, "temperature"),
        ({"neftune": -1.0}, "neftune"),
        ({"smoothing": 0.1}, "sft has no setting 'smoothing'"),
        ({"of": "seq2seq", "replay": 0.2}, "seq2seq has no setting 'replay'"),
        ({"of": "seq2seq", "turns": "last"}, "seq2seq has no setting 'turns'"),
    ):
        with pytest.raises(UserError, match=what):
            OBJECTIVES.make("multitask", given)
    with pytest.raises(UserError, match="of kind decoder") as caught:
        Multitask(of="seq2seq").encode(model("sft"), Lesson(ROWS), kit())
    assert caught.value.hint == "say objective.of=sft"
    with pytest.raises(UserError, match=r"^task 'few': labels-all-masked"):
        encoded(Multitask(), [*ROWS[:3], replace(ROWS[-1], answers=())])
    with pytest.raises(UserError, match="nothing to learn"):
        encoded(Multitask(), [])


def test_it_knows_its_kind_of_model_and_its_cut() -> None:
    assert (Multitask().kind, Multitask(of="seq2seq").kind) == ("decoder", "encoder-decoder")
    assert (Multitask()._inner().cut, Multitask(of="seq2seq")._inner().cut) == ("left", "right")
    assert Multitask(cut="drop")._inner().cut == "drop"
