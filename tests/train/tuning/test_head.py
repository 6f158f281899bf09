"""Only the head learns."""

from dragoman.train.tuning.head import Head
from tests.train.small import net


def test_only_the_head_learns() -> None:
    model = Head().apply(net(), 0)
    assert {name.split(".")[0] for name, weight in model.named_parameters() if weight.requires_grad} == {"head"}
    assert len(Head().paces(model)) == 4
    assert {pace.factor for pace in Head().paces(model).values()} == {1.0}
    assert Head().merge(model) is model
