"""LoRA stands where it was asked to, counts what it should, and refuses a name that matches nothing."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import writer
from tests.train.small import ARCH, net

HEAD = (16 * 16 + 16) + (16 * 3 + 3)
SIZES = {"query": 32, "key": 32, "value": 32, "output": 32, "up": 48, "down": 48}  # in + out


@pytest.mark.parametrize("where", [("query",), ("query", "value"), tuple(SIZES), ("up",)])
@pytest.mark.parametrize("rank", [1, 4])
def test_the_number_of_weights_is_exact(where: tuple[str, ...], rank: int) -> None:
    """r (in + out) for each matrix, and the head."""
    model = Lora(rank=rank, where=where).apply(net(), 0)
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert learning == ARCH.layers * sum(rank * SIZES[name] for name in where) + HEAD
    assert len(low_rank_modules(model)) == ARCH.layers * len(where)


@pytest.mark.parametrize(("rank", "alpha"), [(4, 16.0), (8, 8.0), (256, 16.0)])
def test_the_scale_is_exact(rank: int, alpha: float) -> None:
    assert Lora(rank=rank, alpha=alpha).scale == alpha / rank
    assert Lora(rank=rank, alpha=alpha, stabilised=True).scale == alpha / rank**0.5


def test_the_draw_follows_the_seed() -> None:
    def first(seed: int) -> bytes:
        model = Lora().apply(net(), seed)
        return next(iter(low_rank_modules(model).values())).down.detach().numpy().tobytes()

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize("where", [("qkv",), ("query", "quary"), ("",), ("gate",), ("words",)])
def test_a_name_that_matches_nothing_is_refused(where: tuple[str, ...]) -> None:
    model = net()
    with pytest.raises(UserError, match="finds no matrix named") as caught:
        Lora(where=where).apply(model, 0)
    assert "down, key, output, query, up, value" in caught.value.hint
    assert all(weight.requires_grad for weight in model.parameters())  # nothing was touched


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Lora(**wrong)  # type: ignore[arg-type]


def test_none_named_is_all_that_there_are() -> None:
    assert len(low_rank_modules(Lora().apply(net(), 0))) == 6 * ARCH.layers
    llama = low_rank_modules(Lora().apply(writer("llama"), 0))
    assert {name.rpartition(".")[2] for name in llama} == {*SIZES, "gate"}
    assert len(low_rank_modules(Lora(where=("query", "value")).apply(writer("t5"), 0))) == 2 * (2 + 2 * 2)
