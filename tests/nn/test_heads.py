"""The head computes from a kept first state what the whole classifier computes."""

import pytest
import torch

from dragoman.nn.padding import pad
from tests.nn.tiny import FAMILIES, classifier


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kept_state_gives_the_same_logits(family: str) -> None:
    net = classifier(family)
    ids, mask = pad([[2, 7, 8, 3], [2, 7, 3]], net.arch.pad_id)
    with torch.no_grad():
        kept = net.encoder.first(ids, mask)
        assert torch.equal(net.head(kept), net(ids, mask))
        assert net(ids, mask).shape == (2, 3)


def test_roberta_drops_in_front_of_its_head() -> None:
    assert classifier("roberta").head.before.p == 0.1
    assert classifier("bert").head.before.p == 0.0
    assert classifier("distilbert").head.after.p == 0.2


def test_one_logit_a_label() -> None:
    net = classifier("bert", ("a", "b", "c", "d"), multi_label=True)
    assert net(torch.tensor([[2, 7, 3]])).shape == (1, 4)
    assert net.multi_label
