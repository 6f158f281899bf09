"""Where documents of a packed row begin and end, and what may not stand beside them."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.segments import count_places, list_lengths, place_documents, share_segment, share_source, told_apart
from tests.nets import decoder, shape, some, two_stacks

ROWS = torch.tensor([[5, 5, 5, 2, 2, 9], [1, 2, 2, 2, 0, 0]])


def test_positions_begin_anew() -> None:
    assert count_places(ROWS).tolist() == [[0, 1, 2, 0, 1, 0], [0, 0, 1, 2, 0, 1]]
    assert count_places(ROWS[:, :1]).tolist() == [[0], [0]]


def test_a_token_sees_its_own_document() -> None:
    seen = share_segment(ROWS, ROWS)[0, 0]
    assert seen.int().tolist() == [[1, 1, 1, 0, 0, 0]] * 3 + [[0, 0, 0, 1, 1, 0]] * 2 + [[0, 0, 0, 0, 0, 1]]


def test_what_has_no_source_sees_all_of_it() -> None:
    seen = share_segment(torch.tensor([[4, 7]]), torch.tensor([[4, 4, 3]]))
    assert seen[0, 0].tolist() == [[True, True, False], [True, True, True]]


def test_one_document_a_row_needs_no_mask() -> None:
    assert told_apart(None) is None
    assert told_apart(torch.tensor([[3, 3], [4, 4]])) is None
    assert told_apart(ROWS) is ROWS
    assert share_source(None, ROWS[:, :2] * 0, ROWS[:, :3] * 0) is None
    assert share_source(None, ROWS[:, :2] * 0, ROWS[:, :3] * 0 + 1) is not None  # other numbers: told apart


def test_segments_go_with_no_mask_and_no_cache() -> None:
    ids, mask = some(2, 6), torch.ones(2, 6, dtype=torch.bool)
    net, both = decoder("llama"), two_stacks("t5")
    with pytest.raises(ValueError, match="no mask and no cache"):
        net(ids, mask, segments=ROWS)
    with pytest.raises(ValueError, match="together or not at all"):
        both(ids, None, ids, segments=ROWS)
    with pytest.raises(ValueError, match="packed source"):
        both.decoder(ids, source=torch.zeros(2, 6, 64), source_segments=ROWS)
    with pytest.raises(ValueError, match="no mask"):
        both(ids, mask, ids, segments=ROWS, target_segments=ROWS)
    with pytest.raises(ValueError, match="no mask"):
        both(ids, None, ids, mask, ROWS, ROWS)


def test_a_row_may_be_longer_than_a_text() -> None:
    net = Decoder(shape("gpt2")).eval()
    halves = torch.arange(2).repeat_interleave(100)[None]
    with torch.no_grad():
        assert net(some(1, 200), segments=halves).shape == (1, 200, 99)
    with pytest.raises(UserError, match="max_length is 150 tokens"):
        place_documents(torch.tensor([[0] * 50 + [1] * 150]), net.arch)
    with pytest.raises(UserError, match="max_length is 200 tokens"):
        net(some(1, 200), segments=halves * 0)


def test_documents_are_listed_where_the_rows_are_long_and_they_are_not() -> None:
    long = torch.arange(4).repeat_interleave(torch.tensor([200, 200, 100, 12])).repeat(2, 1)
    assert list_lengths(long) == (200, 200, 100, 12) * 2
    assert list_lengths(long[:, :384]) == (200, 184) * 2
    assert list_lengths(long[:, :255]) == ()
    short = torch.arange(16).repeat_interleave(16).repeat(4, 1)
    assert list_lengths(short) == ()  # 64 documents, each of which would save less than it costs to go to it
    edge = torch.tensor([[0] * 490 + [1] * 22])
    assert list_lengths(edge) == ()  # next to the whole square
    assert list_lengths(edge.clamp(max=0) + (torch.arange(512) > 400)) == (401, 111)
    alike = torch.cat((long[:1], long[:1] * 0 + 3))  # rows that end and begin with the same number
    assert list_lengths(alike) == (200, 200, 100, 12, 512)  # they are two all the same
    assert list_lengths(torch.cat((long[:1].flip(1), long[:1] * 1))) == (12, 100, 200, 200, 200, 200, 100, 12)


def test_the_source_of_an_answer_is_found_by_its_number() -> None:
    net: EncoderDecoder = two_stacks("t5")
    one, two, said = some(1, 5), some(1, 7, 1), some(1, 4, 2)
    answer = torch.cat((said, said), 1)
    who = torch.tensor([[0] * 4 + [1] * 4])
    with torch.no_grad():
        first = net(torch.cat((one, two), 1), None, answer, segments=torch.tensor([[0] * 5 + [1] * 7]),
                    target_segments=who)  # fmt: skip
        other = net(torch.cat((two, one), 1), None, answer, segments=torch.tensor([[1] * 7 + [0] * 5]),
                    target_segments=who)  # fmt: skip
    assert torch.allclose(first, other, atol=1e-4)
    assert not torch.allclose(first[:, :4], first[:, 4:], atol=1e-2)
