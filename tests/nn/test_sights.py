"""What a layer may see, drawn as a picture: rows ask, columns are seen."""

from dataclasses import replace

import torch
from torch import Tensor

from dragoman.nn.attention import Sight
from dragoman.nn.cache import Cache
from dragoman.nn.sights import Sights
from tests.nets import shape

WIDE = torch.float32


def drawn(seen: Tensor | None) -> list[str]:
    assert seen is not None
    return ["".join("x" if one else "." for one in row) for row in seen.tolist()]


def sights(name: str, length: int, mask: Tensor | None = None, cache: Cache | None = None) -> list[Sight]:
    places = torch.arange(length)[None]
    return Sights(shape(name), causal=True)(places, mask, WIDE, cache)


def test_the_kernel_knows_the_triangle_without_a_mask() -> None:
    (first, *rest) = sights("llama", 4)
    assert (first.causal, first.mask, first.bias) == (True, None, None)
    assert first.angles is not None
    assert all(sight is first for sight in rest)


def test_a_window_hides_what_is_far() -> None:
    arch = replace(shape("mistral window"), window=2, layers=1)
    (sight,) = Sights(arch, causal=True)(torch.arange(4)[None], None, WIDE)
    assert sight.mask is not None
    assert drawn(sight.mask[0, 0]) == ["x...", "xx..", ".xx.", "..xx"]
    (short,) = Sights(arch, causal=True)(torch.arange(2)[None], None, WIDE)
    assert short.mask is None


def test_layers_with_and_without_a_window_have_their_own_sight() -> None:
    made = sights("gemma3_text", 12)
    assert [sight.mask is None for sight in made] == [False, True, False, True]
    assert made[0] is made[2]
    assert made[0].angles is not None
    assert made[1].angles is not None
    assert not torch.equal(made[0].angles[0], made[1].angles[0])  # two speeds


def test_padding_sees_itself_and_is_seen_by_none() -> None:
    mask = torch.tensor([[True] * 3, [False, True, True]])
    sight = sights("llama", 3, mask)[0]
    assert sight.mask is not None
    assert drawn(sight.mask[0, 0]) == ["x..", "xx.", "xxx"]
    assert drawn(sight.mask[1, 0]) == ["x..", ".x.", ".xx"]


def test_what_is_cached_is_seen() -> None:
    cache = Cache(shape("llama"), 1, 8, WIDE, torch.device("cpu"))
    cache.length = 2
    sight = sights("llama", 2, None, cache)[0]
    assert sight.mask is not None
    assert drawn(sight.mask[0, 0]) == ["xxx.", "xxxx"]
    alone = sights("llama", 1, None, cache)[0]
    assert (alone.mask, alone.causal) == (None, False)  # one token sees all there is
    slot = cache.open_whole()
    slot += 1
    whole = sights("llama", 1, None, cache)[0]
    assert whole.mask is not None
    assert drawn(whole.mask[0, 0]) == ["xxxx...."]


def test_a_reader_sees_all_but_padding() -> None:
    reader = Sights(shape("bert"), causal=False)
    places = torch.arange(3)[None]
    assert reader(places, None, WIDE)[0] == Sight()
    sight = reader(places, torch.tensor([[True, True, False]]), WIDE)[0]
    assert sight.mask is not None
    assert drawn(sight.mask[0, 0]) == ["xx."]


def test_distances_hide_with_minus_infinity() -> None:
    net = Sights(replace(shape("gpt2"), position="alibi"), causal=True)
    sight = net(torch.arange(3)[None], None, WIDE)[0]
    assert sight.mask is None
    assert sight.bias is not None
    infinite = float("-inf")
    assert sight.bias[0, 0].tolist() == [[0, infinite, infinite], [-0.25, 0, infinite], [-0.5, -0.25, 0]]
    assert sight.bias.shape == (1, 4, 3, 3)


def test_documents_of_a_row_hide_each_other() -> None:
    rows, places = torch.tensor([[4, 4, 4, 2]]), torch.tensor([[0, 1, 2, 0]])
    sight = Sights(shape("llama"), causal=True)(places, None, WIDE, segments=rows)[0]
    assert sight.mask is not None and sight.angles is not None and sight.documents is None
    assert drawn(sight.mask[0, 0]) == ["x...", "xx..", "xxx.", "...x"]
    assert torch.equal(sight.angles[0][0, 0], sight.angles[0][0, 3])
    narrow = Sights(replace(shape("mistral window"), window=2), causal=True)(places, None, WIDE, segments=rows)[0]
    assert narrow.mask is not None
    assert drawn(narrow.mask[0, 0]) == ["x...", "xx..", ".xx.", "...x"]
    reader = Sights(shape("bert"), causal=False)(places, None, WIDE, segments=rows)[0]
    assert reader.mask is not None
    assert drawn(reader.mask[0, 0]) == ["xxx.", "xxx.", "xxx.", "...x"]


def test_long_rows_are_told_their_documents_where_no_window_and_no_bias_stands_in_the_way() -> None:
    rows = torch.arange(8).repeat_interleave(64)[None]  # [1, 512]
    places = torch.arange(64).repeat(8)[None]
    made = Sights(shape("gemma3_text"), causal=True)(places, None, WIDE, segments=rows)
    assert [sight.documents is None for sight in made] == [True, False, True, False]
    assert made[1].documents is not None
    assert made[1].documents.lengths == (64,) * 8
    assert made[1].causal and made[1].mask is not None
    biased = Sights(replace(shape("gpt2"), position="alibi"), causal=True)(places, None, WIDE, segments=rows)
    assert biased[0].documents is None
