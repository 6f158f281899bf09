"""The next token: what is asked at each place, what a packed batch costs, and that it can be learnt."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.train.objectives.clm import Clm
from dragoman.train.packing import Texts
from tests.train.texts import HOW, Numbers, begun, documents, kit, model, steps, texts


def test_each_token_is_asked_for_by_those_before_it() -> None:
    source = Documents.of("two", [[10, 11, 12], [20, 21]], [3, 2])
    rows = replace(Clm().encode(model("clm"), Texts((source,)), kit()), ordered=True)
    line = rows.line(0)
    assert line.ids.tolist() == [1, 10, 11, 12, 1, 20, 21]
    assert line.following.tolist() == [10, 11, 12, 2, 20, 21, 2]
    assert line.documents.tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("bos", "eos", "ids", "labels"), [
    (None, frozenset({2}), [2, 10, 11], [10, 11, 2]),  # the end also begins, as in GPT-2
    (None, frozenset(), [10, 11], [11, -100]),
    (1, frozenset(), [1, 10, 11], [10, 11, -100]),
])  # fmt: skip
def test_tokenizers_without_a_beginning_or_an_end(
    bos: int | None, eos: frozenset[int], ids: list[int], labels: list[int]
) -> None:
    given = replace(kit(), tokenizer=Numbers(bos_id=bos, eos_ids=eos))
    line = Clm().encode(model("clm"), Texts((Documents.of("one", [[10, 11]], [2]),)), given).line(0)
    assert (line.ids.tolist(), line.following.tolist()) == (ids, labels)


def test_the_loss_of_a_packed_batch_is_that_of_its_documents_alone() -> None:
    net, source = model("clm", seed=3), documents(count=9, longest=9)
    how = replace(HOW, max_length=64, batch=1)
    rows = replace(Clm().encode(net, Texts((source,)), kit(how)), ordered=True)
    assert rows.count == 1  # all nine in one row
    batch = next(Clm().stream(net, rows, kit(how), 0))[0]
    total, begin = 0.0, 0
    for end in source.ends.tolist():
        ids = [1, *source.read(begin, end).tolist()]
        logits = net(torch.tensor([ids]))[0]
        total += functional.cross_entropy(logits, torch.tensor([*ids[1:], 2]), reduction="sum").item()
        begin = end
    assert Clm().loss(net, batch, kit()).total.item() == pytest.approx(total, rel=1e-5)


def test_documents_of_one_row_do_not_see_each_other() -> None:
    net = model("clm", seed=1)
    rows = Clm().encode(net, Texts((Documents.of("x", [[10, 11, 12], [20, 21]], [3, 2]),)), kit())
    changed = Clm().encode(net, Texts((Documents.of("x", [[30, 31, 12], [20, 21]], [3, 2]),)), kit())
    states = []
    for one in (rows, changed):
        batch = next(Clm().stream(net, replace(one, ordered=True), kit(replace(HOW, batch=1)), 0))[0]
        states.append(net.states(batch.ids, segments=batch.segments)[0])
    assert not torch.allclose(states[0][1], states[1][1])
    assert torch.equal(states[0][4:], states[1][4:])


def test_it_learns() -> None:
    training = begun("clm", replace(HOW, steps=120, batch=8))
    losses = [step.loss for step in steps(training)]
    assert losses[0] == pytest.approx(math.log(64), abs=0.6)
    assert losses[-1] < 0.45 * losses[0]


def test_a_small_z_loss_is_added_and_a_negative_one_refused() -> None:
    net, rows = model("clm"), texts()
    batch = next(Clm().stream(net, Clm().encode(net, rows, kit()), kit(), 0))[0]
    plain, more = (Clm(z_loss=weight).loss(net, batch, kit()).total.item() for weight in (0.0, 0.1))
    states = net.states(batch.ids, segments=batch.segments)
    sums = net.head(states)[batch.labels != -100].logsumexp(-1)
    assert more - plain == pytest.approx(0.1 * sums.square().sum().item(), rel=1e-4)
    with pytest.raises(UserError, match="z_loss"):
        Clm(z_loss=-1.0)


def test_the_weight_of_a_batch_counts_its_labels() -> None:
    net = model("clm")
    for batches in [next(Clm().stream(net, Clm().encode(net, texts(), kit()), kit(replace(HOW, accumulation=3)), 0))]:
        assert len(batches) == 3
        for batch in batches:
            assert batch.weight == float((batch.labels != -100).sum())
            assert batch.tokens == int(np.sum(batch.ids.numpy() != 0))
