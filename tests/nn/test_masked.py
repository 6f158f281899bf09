"""The masked language model: a head on an encoder, and the words' table read backwards."""

import torch

from dragoman.nn.masked import MaskedLM
from tests.nets import MASKED, shape, some
from tests.nn.tiny import amplify


def test_logits_are_what_the_states_predict() -> None:
    for name in MASKED:
        net, ids = amplify(MaskedLM(shape(name))).eval(), some(2, 6)
        mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
        with torch.no_grad():
            logits = net(ids, mask)
            assert logits.shape == (2, 6, 99)
            assert torch.equal(logits, net.predict(net.encoder(ids, mask)))
            assert torch.equal(net(ids.where(mask, 50), mask)[mask], logits[mask])
            chosen = net.states(ids, mask)[mask]
            assert torch.allclose(net.head(net.refine(chosen)), logits[mask], atol=1e-4)


def test_both_sides_of_a_mask_are_read() -> None:
    net, ids = amplify(MaskedLM(shape("bert"))).eval(), some(1, 6)
    with torch.no_grad():
        before = net(ids)[0, 2]
        for place in (0, 5):
            other = ids.clone()
            other[0, place] = (ids[0, place] + 1) % 99
            assert not torch.equal(net(other)[0, 2], before)


def test_the_words_are_one_table_with_a_bias_of_its_own() -> None:
    net = MaskedLM(shape("bert"))
    assert net.head.weight is net.encoder.embeddings.words.weight
    assert net.head.bias.shape == (99,)
    assert net.arch.head_bias
