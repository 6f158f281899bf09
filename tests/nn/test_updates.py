"""Updates beside shared matrices: of all rows or of each, where matrices were made one, in a net that shares."""

import torch
from torch import nn

from dragoman.nn.decoder import Decoder
from dragoman.nn.updates import Choice, Update, Updated, UpdatedByRow, fused, graft, stack_updates
from tests.nn.tiny_lm import writer

DICE = torch.Generator().manual_seed(0)


def drawn(rows: int, columns: int, rank: int) -> Update:
    return Update(torch.randn(rank, columns, generator=DICE), torch.randn(rows, rank, generator=DICE))


def test_each_row_has_its_own() -> None:
    plain, updates = nn.Linear(6, 4), [None, drawn(4, 6, 2), drawn(4, 6, 3)]
    stacked = stack_updates(updates, 5)
    assert stacked is not None and stacked[0].shape == (3, 5, 6)
    choice = Choice(torch.tensor([2, 0, 1]))
    layer = UpdatedByRow(plain, *stacked, choice)
    for states in (torch.randn(3, 7, 6), torch.randn(3, 6)):
        said = layer(states)
        for row, number in enumerate((2, 0, 1)):
            update = updates[number]
            wanted = plain(states[row]) if update is None else Updated(plain, update)(states[row])
            assert torch.allclose(said[row], wanted, atol=1e-5)
        assert torch.equal(said[1], plain(states)[1])
    choice.keep(torch.tensor([2, 2]))
    states = torch.randn(2, 6)
    assert updates[1] is not None
    assert torch.allclose(layer(states), Updated(plain, updates[1])(states), atol=1e-5)
    assert stack_updates([None, None], 5) is None


def test_updates_of_matrices_that_became_one() -> None:
    net, packed = writer("llama"), writer("llama")
    updates = {
        "blocks.0.attention.key": drawn(16, 32, 2),
        "blocks.0.attention.query": drawn(32, 32, 3),
        "blocks.1.feed_forward.up": drawn(48, 32, 2),
        "blocks.1.feed_forward.down": drawn(32, 48, 2),
    }
    for block in packed.blocks:
        block.attention.fuse()
        block.feed_forward.fuse()
    joined = fused(packed, updates)
    assert set(joined) == {"blocks.0.attention.joint", "blocks.1.feed_forward.joint", "blocks.1.feed_forward.down"}
    ids = torch.tensor([[5, 9, 30, 3]])
    said = [
        graft(one, {name: Updated(one.get_submodule(name), update) for name, update in some.items()})(ids)
        for one, some in ((net, updates), (packed, joined))
    ]
    assert torch.allclose(said[0], said[1], atol=1e-4)
    assert not torch.allclose(said[0], net(ids), atol=1e-2)


def test_a_grafted_net_shares_the_rest() -> None:
    net, ids = writer("gpt2"), torch.tensor([[5, 9, 30, 3]])
    before = net(ids)
    twin = graft(net, {"blocks.0.attention.query": nn.Linear(32, 32)})
    assert isinstance(twin, Decoder)
    assert twin.blocks[1] is net.blocks[1] and twin.embeddings is net.embeddings
    assert twin.blocks[0] is not net.blocks[0] and twin.blocks[0].feed_forward is net.blocks[0].feed_forward
    assert twin.head.weight is net.embeddings.words.weight
    assert not torch.equal(twin(ids), before)
    assert torch.equal(net(ids), before)
