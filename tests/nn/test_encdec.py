"""Two stacks share their words, and the second hears the first."""

import torch

from dragoman.nn.encdec import EncoderDecoder, shift_right
from tests.nets import READERS, shape, some, two_stacks


def test_logits_are_what_the_states_predict() -> None:
    for name in READERS:
        net, ids, targets = two_stacks(name), some(2, 7), some(2, 4, 1)
        with torch.no_grad():
            states = net.states(ids, None, targets)
            assert states.shape == (2, 4, 64)
            assert torch.equal(net(ids, None, targets), net.head(net.refine(states)))
    assert two_stacks("t5").decoder.arch.logit_scale != 1.0


def test_labels_move_one_place_to_the_right() -> None:
    labels = torch.tensor([[5, 6, 7], [8, 9, 1]])
    assert shift_right(labels, 2).tolist() == [[2, 5, 6], [2, 8, 9]]
    assert labels.tolist() == [[5, 6, 7], [8, 9, 1]]


def test_there_is_one_table_of_words() -> None:
    for name in READERS:
        net = EncoderDecoder(shape(name))
        assert net.decoder.embeddings.words is net.encoder.embeddings.words
        assert (net.decoder.head.weight is net.encoder.embeddings.words.weight) == net.arch.tied


def test_the_source_is_heard_and_its_padding_is_not() -> None:
    mask = torch.tensor([[True] * 5 + [False] * 2] * 2)
    for name in READERS:
        net, ids, targets = two_stacks(name), some(2, 7), some(2, 4, 1)
        with torch.no_grad():
            said = net(ids, mask, targets)
            assert torch.equal(net(ids.where(mask, 50), mask, targets), said)
            ids[0, 0] = (ids[0, 0] + 1) % 99
            other = net(ids, mask, targets)
        assert not torch.equal(other[0], said[0])
        assert torch.equal(other[1], said[1])


def test_stacks_have_their_own_depth_and_width() -> None:
    net = EncoderDecoder(shape("bart"))
    assert net.encoder.blocks[0].feed_forward.up.out_features == 128
    assert net.decoder.blocks[0].feed_forward.up.out_features == 96
    assert net.encoder.blocks[0].cross is None
    assert net.decoder.blocks[0].cross is not None


def test_gradients_reach_both_stacks() -> None:
    for name in READERS:
        net = EncoderDecoder(shape(name))
        net(some(2, 7), None, some(2, 4, 1)).logsumexp(-1).sum().backward()
        silent = [key for key, each in net.named_parameters() if each.grad is None or not bool(each.grad.any())]
        assert silent == []
