"""Heads on an encoder: for a whole text, for each of its tokens, and for the two ends of an answer."""

import pytest
import torch

from dragoman.nn.heads import Headed
from dragoman.nn.padding import pad
from tests.nn.tiny import ARCHES, FAMILIES, classifier, extractor, tagger


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


@pytest.mark.parametrize("family", FAMILIES)
def test_one_answer_a_token_whatever_is_padded(family: str) -> None:
    ids, mask = pad([[2, 7, 8, 3], [2, 7, 3]], ARCHES[family].pad_id)
    for net, answers in ((tagger(family), 3), (extractor(family), 2)):
        with torch.no_grad():
            found = net(ids, mask)
            alone = net(ids[1:, :3])
        assert found.shape == (2, 4, answers)
        assert (found[1, :3] - alone[0]).abs().max() < 1e-5
        assert isinstance(net, Headed)
        assert net.arch is net.encoder.arch


def test_the_question_is_told_from_its_context() -> None:
    net, ids = extractor("bert"), torch.tensor([[2, 7, 3, 8, 3]])
    types = torch.tensor([[0, 0, 0, 1, 1]])
    with torch.no_grad():
        assert torch.equal(net(ids, None, torch.zeros_like(ids)), net(ids))
        assert (net(ids, None, types) - net(ids)).abs().max() > 0.01


def test_a_tagger_drops_and_an_extractor_does_not() -> None:
    assert tagger("bert").head.before.p == 0.1
    assert extractor("bert").head.before.p == 0.0
