"""Everything learns at one pace, and nothing is put in or taken away."""

from dragoman.train.doors import Pace
from dragoman.train.tuning.scratch import Scratch
from tests.train.texts import model


def test_every_weight_learns_at_one_pace() -> None:
    net = model("clm").requires_grad_(False)
    assert Scratch().apply(net, 0) is net
    assert all(weight.requires_grad for weight in net.parameters())
    paces = Scratch().paces(net)
    assert paces.keys() == dict(net.named_parameters()).keys()
    assert set(paces.values()) == {Pace()}
    assert Scratch().merge(net) is net
