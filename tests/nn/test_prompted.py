"""Places in front of texts: where they stand in padded and packed rows, and what is read back out of them."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.attention import Sight
from dragoman.nn.prompted import Front, LearntPairs, lay_out, shortened
from tests.nn.tiny_lm import writer

VECTORS = torch.tensor([[-1.0], [-2.0]])
IDS = torch.arange(10).view(2, 5)


def wide(mask: torch.Tensor | None, segments: torch.Tensor | None) -> list[list[int]]:
    """What stands at each place: -1 and -2 in front, and the tokens' own numbers."""
    laid = lay_out(VECTORS, IDS, mask, segments)
    states = laid.widen(IDS[:, :, None].float())
    assert torch.equal(laid.narrow(states), IDS[:, :, None].float())
    return states[:, :, 0].long().tolist()  # type: ignore[no-any-return]


def test_plain_rows() -> None:
    assert wide(None, None) == [[-1, -2, 0, 1, 2, 3, 4], [-1, -2, 5, 6, 7, 8, 9]]


def test_padding_on_either_side() -> None:
    """The places stand right in front of the text, behind what fills the row on the left."""
    left = torch.tensor([[False, False, True, True, True], [True] * 5])
    assert wide(left, None) == [[0, 1, -1, -2, 2, 3, 4], [-1, -2, 5, 6, 7, 8, 9]]
    assert wide(left.flip(1), None) == [[-1, -2, 0, 1, 2, 3, 4], [-1, -2, 5, 6, 7, 8, 9]]
    laid = lay_out(VECTORS, IDS, left, None)
    assert laid.mask is not None
    assert laid.mask.tolist() == [[False, False, True, True, True, True, True], [True] * 7]


def test_each_document_has_its_own() -> None:
    segments = torch.tensor([[4, 4, 4, 4, 4], [7, 7, 8, 8, -1]])
    assert wide(None, segments) == [[-1, -2, 0, 1, 2, 3, 4, -1, -2], [-1, -2, 5, 6, -1, -2, 7, 8, 9]]
    laid = lay_out(VECTORS, IDS, None, segments)
    assert laid.segments is not None
    assert laid.segments.tolist() == [[4] * 7 + [-1, -1], [7, 7, 7, 7, 8, 8, 8, 8, -1]]


def test_pairs_stand_where_nothing_was_read() -> None:
    keys, values = torch.full((2, 1, 3), 5.0), torch.full((2, 1, 3), 6.0)
    key, value = torch.zeros(2, 7, 1, 3), torch.zeros(2, 7, 1, 3)
    slots = lay_out(VECTORS, IDS, torch.tensor([[False, True, True, True, True], [True] * 5]), None).slots
    found = LearntPairs(keys, values)(key, value, slots)
    assert found[0][:, :, 0, 0].tolist() == [[0, 5, 5, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0, 0]]
    assert found[1][:, :, 0, 0].tolist() == [[0, 6, 6, 0, 0, 0, 0], [6, 6, 0, 0, 0, 0, 0]]


def test_a_soft_prompt_tells_attention_nothing() -> None:
    prompt, prefix = Front(VECTORS, read=True), Front(VECTORS, read=False)
    laid = prompt.lay(IDS, None, None)
    assert prompt.show([Sight()], laid)[0].slots is None
    assert prefix.show([Sight()], laid)[0].slots is laid.slots
    assert [name for name, _ in prompt.named_parameters()] == ["vectors"]
    assert not list(prefix.parameters()) and not prefix.state_dict()


def test_a_text_has_fewer_positions_left() -> None:
    arch = writer("gpt2").arch
    assert shortened(arch, 10).longest == arch.longest - 10
    with pytest.raises(UserError, match="leave no room"):
        shortened(arch, arch.longest)
