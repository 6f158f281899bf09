"""Answers with thumbs in tokens: strangers, weights, what pairs become, what is left out."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.train.feedback import _followers, feedback_of, stream_feedback
from dragoman.train.fitting import Lesson
from dragoman.train.word_logs import row_sums
from tests.train.lessons import HOW, kit, model
from tests.train.objectives.test_kto import thumbs
from tests.train.preferences import pairs

CALM = replace(HOW, batch=6)


def test_a_stranger_is_the_answer_to_another_prompt_behind_this_one() -> None:
    found = feedback_of(model(), Lesson(thumbs(6)), kit(how=CALM))
    for place, (own, stranger) in enumerate(found.answers):
        nothing = int((own.labels == -100).sum())
        assert own.ids[: nothing + 1].tolist() == stranger.ids[: nothing + 1].tolist()  # one prompt
        follower = found.answers[(place + 1) % 6][0]
        assert stranger.labels[stranger.labels != -100].tolist() == follower.labels[follower.labels != -100].tolist()


def test_two_answers_to_one_prompt_are_no_strangers() -> None:
    found = feedback_of(model(), Lesson(pairs(2)), kit(how=CALM))
    assert found.good == (True, False, True, False) and len(found) == 4
    for place, (_, stranger) in enumerate(found.answers):
        chosen = found.answers[2 if place < 2 else 0][0]  # the first answer to the other prompt
        assert stranger.labels[stranger.labels != -100].tolist() == chosen.labels[chosen.labels != -100].tolist()


def test_a_follower_is_found_round_the_end() -> None:
    assert _followers("aabbba") == [2, 2, 5, 5, 5, 2]
    assert _followers("ab") == [1, 0] and _followers("aaa") == [-1, -1, -1] and _followers("") == []


def test_many_answers_to_few_prompts_find_their_strangers_at_once() -> None:
    rows = [replace(one, rejected="") for one in pairs(2)]
    found = feedback_of(model(), Lesson([rows[place // 60] for place in range(120)]), kit(how=CALM))
    said = [[one.labels[one.labels != -100].tolist() for one in pair] for pair in found.answers]
    assert said[0][0] != said[60][0]
    assert all(stranger == said[60 if place < 60 else 0][0] for place, (_, stranger) in enumerate(said))


def test_how_far_it_has_moved_is_the_mean_over_strangers_and_never_below_0() -> None:
    net, given = model().eval(), kit(how=CALM)
    found = feedback_of(net, Lesson(thumbs(5)), given)
    assert float(found.moved(net, range(5), given)) == pytest.approx(0.0, abs=1e-4)
    other = model(seed=4).eval()
    expected = []
    for (_, stranger), reference in zip(found.answers, found.reference[:, 1], strict=True):
        ids = torch.tensor([stranger.ids.tolist()])
        now = row_sums(other, ids, torch.tensor([stranger.labels.tolist()]), None)
        expected.append(float(now.detach()) - float(reference))
    mean = sum(expected) / 5
    assert float(found.moved(other, range(5), given, at_once=2)) == pytest.approx(max(mean, 0.0), abs=1e-4)


@pytest.mark.parametrize(
    ("good", "even"),
    [([1, 0], (1.0, 1.0)), ([1, 0, 0, 0], (3.0, 1.0)), ([1, 1, 1, 0], (1.0, 3.0)), ([1] * 5 + [0] * 4, (1.0, 1.0))],
)
def test_the_rarer_kind_counts_more(good: list[int], even: tuple[float, float]) -> None:
    found = feedback_of(model(), Lesson(thumbs(len(good))), kit(how=CALM))
    assert replace(found, good=tuple(map(bool, good))).even() == even


def test_what_cannot_be_learnt_is_left_out_and_counted() -> None:
    long = Example((Message("user", "a"),), ("x" * 300,), meta={"good": True})
    blank = replace(long, answers=(" ",))
    equal = replace(pairs(1)[0], rejected=pairs(1)[0].answers[0])
    found = feedback_of(model(), Lesson([*thumbs(4), long, blank, equal]), kit(how=CALM))
    assert len(found) == 4 and found.dropped == 4
    alone = [replace(one, prompt=thumbs(1)[0].prompt) for one in thumbs(3)]
    with pytest.raises(UserError, match="no answers to two prompts"):
        feedback_of(model(), Lesson(alone), kit(how=CALM))


def test_two_processes_share_a_step_and_one_figure_of_how_far_it_has_moved() -> None:
    net, given = model().eval(), kit(how=replace(CALM, batch=5))
    found = feedback_of(net, Lesson(thumbs(5)), given)
    other = model(seed=4).eval()
    found = replace(found, reference=found.reference - 50)  # so that strangers are likelier now
    alone = next(stream_feedback(other, found, given, 0))
    shares = [next(stream_feedback(other, found, replace(given, rank=rank, ranks=2), 0)) for rank in (0, 1)]
    assert [name for share in shares for part in share for name in part.names] == list(alone[0].names)
    assert alone[0].moved > 1 and all(part.moved == alone[0].moved for share in shares for part in share)


def test_an_epoch_reads_each_answer_once_and_goes_on_from_any_step() -> None:
    net, given = model().eval(), kit(how=CALM)
    found = feedback_of(net, Lesson(thumbs(20)), given)
    seen = [place for step in range(found.steps_an_epoch(6)) for place in found.batch(step, 6)]
    assert sorted(seen) == list(range(20))
    late = stream_feedback(net, found, given, 2)
    early = stream_feedback(net, found, given, 0)
    next(early), next(early)
    assert next(early)[0].names == next(late)[0].names
    assert found.digest() != replace(found, good=(not found.good[0], *found.good[1:])).digest()
