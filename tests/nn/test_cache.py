"""The cache writes where it should, gives back what is there, and knows which places hold text."""

import pytest
import torch

from dragoman.nn.cache import Cache, LayerCache
from tests.nets import shape

CPU = torch.device("cpu")


def cache_of(name: str, rows: int, capacity: int, source: int = 0) -> Cache:
    return Cache(shape(name), rows, capacity, torch.float32, CPU, source)


def test_a_layer_gives_back_what_was_written() -> None:
    layer = LayerCache((2, 1, 5, 4), torch.float32, CPU)
    assert not layer.filled
    first, second = torch.randn(2, 2, 1, 3, 4), torch.randn(2, 2, 1, 1, 4)
    layer.extend(first[0], first[1])
    keys, values = layer.extend(second[0], second[1])
    assert layer.filled
    assert torch.equal(keys, torch.cat((first[0], second[0]), 2))
    assert torch.equal(values, torch.cat((first[1], second[1]), 2))


def test_a_layer_that_gives_back_all_writes_where_it_is_told() -> None:
    layer = LayerCache((1, 1, 4, 2), torch.float32, CPU)
    layer.places = torch.tensor([2])
    keys, values = layer.extend(torch.ones(1, 1, 1, 2), torch.full((1, 1, 1, 2), 2.0))
    assert keys[0, 0, :, 0].tolist() == [0, 0, 1, 0]
    assert values[0, 0, :, 0].tolist() == [0, 0, 2, 0]


def test_rows_are_kept_in_the_order_asked_for() -> None:
    layer = LayerCache((3, 1, 2, 1), torch.float32, CPU)
    layer.extend(torch.arange(3.0).view(3, 1, 1, 1), torch.arange(3.0).view(3, 1, 1, 1))
    layer.keep(torch.tensor([2, 0, 2]))
    assert layer.content()[0].flatten().tolist() == [2, 0, 2]


def test_positions_are_counted_from_the_first_real_token() -> None:
    cache = cache_of("llama", 2, 8)
    mask = torch.tensor([[True] * 4, [False, False, True, True]])
    places, seen = cache.enter(4, mask)
    assert places.tolist() == [[0, 1, 2, 3], [0, 0, 0, 1]]
    assert seen is not None
    assert torch.equal(seen, mask)
    cache.length = 4
    places, seen = cache.enter(2)
    assert places.tolist() == [[4, 5], [2, 3]]
    assert seen is not None
    assert seen.tolist() == [[True] * 6, [False, False, True, True, True, True]]


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    places, seen = cache_of("llama", 2, 8).enter(4, torch.ones(2, 4, dtype=torch.bool))
    assert places.tolist() == [[0, 1, 2, 3]]
    assert seen is None


def test_only_what_is_crossed_keeps_a_source() -> None:
    assert cache_of("llama", 1, 4).sources == []
    sources = cache_of("t5", 1, 4, source=7).sources
    assert len(sources) == 3
    assert all(layer.fixed and layer.keys.shape == (1, 4, 7, 16) for layer in sources)


def test_heads_that_share_take_less_memory() -> None:
    assert cache_of("llama", 1, 10).layers[0].keys.shape == (1, 2, 10, 16)
    assert cache_of("gpt2", 1, 10).bytes == 2 * cache_of("llama", 1, 10).bytes


def test_padding_on_the_right_is_refused() -> None:
    with pytest.raises(ValueError, match="left"):
        cache_of("llama", 2, 8).enter(3, torch.tensor([[True, True, True], [True, True, False]]))
