"""What was read is found by all that stands before it, and the oldest is forgotten first."""

import torch

from dragoman.nn.cache import Cache
from dragoman.nn.prefixes import Prefixes
from tests.nets import decoder, some

NET = decoder("no positions")
CPU = torch.device("cpu")


def cache_of(ids: list[int]) -> Cache:
    cache = Cache(NET.arch, 1, len(ids), torch.float32, CPU)
    with torch.inference_mode():
        NET(torch.tensor([ids]), cache=cache)
    return cache


def filled(prefixes: Prefixes, ids: list[int], kind: str = "") -> tuple[int, Cache]:
    cache = Cache(NET.arch, 1, 64, torch.float32, CPU)
    return prefixes.fill(cache, prefixes.names(ids, kind)), cache


def test_a_chunk_is_found_by_all_that_stands_before_it() -> None:
    prefixes = Prefixes(4, 64)
    ids = some(1, 11).tolist()[0]
    whole, names = cache_of(ids), prefixes.names(ids)
    assert len(names) == 2
    for place, name in enumerate(names):
        prefixes.keep(whole, name, 4 * place)
    known, cache = filled(prefixes, [*ids[:8], 98, 98, 98])
    assert known == cache.length == 8
    assert torch.equal(cache.layers[0].keys[:, :, :8], whole.layers[0].keys[:, :, :8])
    other = [ids[0] + 1, *ids[1:]]
    assert filled(prefixes, other)[0] == 0  # the second chunk is the same, and not what stands before it
    assert filled(prefixes, ids, "adapter")[0] == 0


def test_the_oldest_is_forgotten_first() -> None:
    prefixes = Prefixes(4, 8)
    texts = [some(1, 4, seed).tolist()[0] for seed in range(3)]
    for text in texts[:2]:
        prefixes.keep(cache_of(text), prefixes.names(text)[0], 0)
    assert filled(prefixes, texts[0])[0] == 4  # used again: the other one is older now
    prefixes.keep(cache_of(texts[2]), prefixes.names(texts[2])[0], 0)
    assert [filled(prefixes, text)[0] for text in texts] == [4, 0, 4]
    assert len(prefixes) == 8
    prefixes.forget()
    assert len(prefixes) == 0


def test_nothing_is_kept_where_nothing_may_be() -> None:
    prefixes = Prefixes(4, 3)
    ids = some(1, 4).tolist()[0]
    prefixes.keep(cache_of(ids), prefixes.names(ids)[0], 0)
    assert len(prefixes) == 0
