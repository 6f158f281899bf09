"""Words behind masks: what is chosen, that it is drawn anew, and that the word matrix is asked at those places."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from dragoman.core.errors import UserError
from dragoman.train.objectives.mlm import Mlm
from tests.train.texts import HOW, Numbers, begun, kit, model, steps, texts


def batches(objective: Mlm, count: int, how: object = None) -> list:  # type: ignore[type-arg]
    net, given = model("mlm"), kit(replace(HOW, batch=16) if how is None else how)
    stream = objective.stream(net, objective.encode(net, texts(200), given), given, 0)
    return [next(stream)[0] for _ in range(count)]


def test_shares_in_the_stream() -> None:
    chosen = masked = same = words = 0
    for batch in batches(Mlm(), 40):
        labels, ids = batch.labels.numpy(), batch.ids.numpy()
        picked = labels != -100
        chosen += int(picked.sum())
        masked += int((ids[picked] == 3).sum())
        same += int((ids[picked] == labels[picked]).sum())
        true = np.where(picked, labels, ids)
        words += int((true >= 4).sum())
        assert (labels[picked] >= 4).all()  # never a special token
    assert chosen / words == pytest.approx(0.15, abs=0.01)
    assert masked / chosen == pytest.approx(0.80, abs=0.02)
    assert same / chosen == pytest.approx(0.10 + 0.10 / 48, abs=0.015)


def test_masks_are_drawn_anew_in_every_pass_and_are_those_of_the_row() -> None:
    net, given = model("mlm"), kit()
    rows = Mlm().encode(net, texts(), given)
    first = next(Mlm().stream(net, rows, given, 0))[0]
    again = next(Mlm().stream(net, rows, given, 0))[0]
    assert torch.equal(first.ids, again.ids)
    parts = next(Mlm().stream(net, rows, kit(replace(HOW, accumulation=6)), 0))
    flat = [row[: len(part.ids[0])] for part in parts for row in part.ids]
    for place, row in enumerate(flat):
        assert torch.equal(first.ids[place][: len(row)], row)
    later = {batch.names: batch.ids for batch in batches(Mlm(), 8)}
    assert len(later) == 8


def test_whole_words_are_chosen_with_all_their_tokens() -> None:
    inner = np.array([token.startswith("##") for token in Numbers().tokens(range(64))])
    seen = 0
    for batch in batches(Mlm(whole_words=True), 20):
        for ids, labels in zip(batch.ids.numpy(), batch.labels.numpy(), strict=True):
            true = np.where(labels != -100, labels, ids)
            for place in range(1, len(true)):
                word = inner[true[place]] and true[place] >= 4 and true[place - 1] >= 4 and ids[place - 1] != 2
                if word and true[place - 1] not in (1, 2):
                    assert (labels[place] != -100) == (labels[place - 1] != -100)
                    seen += labels[place] != -100
    assert seen > 100


def test_the_loss_is_the_cross_entropy_at_the_chosen_places() -> None:
    net, given = model("mlm", seed=2), kit()
    batch = next(Mlm().stream(net, Mlm().encode(net, texts(), given), given, 0))[0]
    logits = net(batch.ids, segments=batch.segments)
    expected = functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), reduction="sum")
    found = Mlm().loss(net, batch, given).total
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_learns() -> None:
    losses = [step.loss for step in steps(begun("mlm", replace(HOW, steps=150, batch=12)))]
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="share"):
        Mlm(share=1.5)
    with pytest.raises(UserError, match="no mask token"):
        Mlm().encode(model("mlm"), texts(), replace(kit(), tokenizer=Numbers(mask_id=None)))
