"""Masked words are chosen and changed in the published shares; spans have the published lengths and give all back."""

from itertools import pairwise

import numpy as np
import pytest

from dragoman.train.corrupt import IGNORED, Spans, corrupt_spans, mask_words, raw_length

MASK, SPECIAL, WORDS = 4, 10, np.arange(10, 1000)
DICE = np.random.default_rng(0)


def test_shares_of_masked_words() -> None:
    ids = DICE.integers(SPECIAL, 1000, size=(400, 512))
    fixed = np.zeros(ids.shape, dtype=bool)
    fixed[:, [0, -1]] = True
    holes, labels = mask_words(ids, fixed, MASK, WORDS, DICE)
    chosen = labels != IGNORED
    assert not chosen[fixed].any()
    assert abs(chosen[~fixed].mean() - 0.15) < 0.002
    assert (labels[chosen] == ids[chosen]).all()
    assert (holes[~chosen] == ids[~chosen]).all()
    masked, same = holes[chosen] == MASK, holes[chosen] == ids[chosen]
    assert abs(masked.mean() - 0.80) < 0.005
    assert abs(same.mean() - 0.10) < 0.005 + 0.1 / len(WORDS)  # a drawn word may be the word itself
    drawn = holes[chosen][~masked & ~same]
    assert drawn.min() >= SPECIAL and len(np.unique(drawn)) > 900


def test_masks_are_drawn_anew() -> None:
    ids = DICE.integers(SPECIAL, 1000, size=(4, 64))
    fixed = np.zeros(ids.shape, dtype=bool)
    first, second = (mask_words(ids, fixed, MASK, WORDS, DICE)[1] for _ in range(2))
    assert (first != second).any()
    again = [mask_words(ids, fixed, MASK, WORDS, np.random.default_rng(7))[0] for _ in range(2)]
    assert (again[0] == again[1]).all()


@pytest.mark.parametrize(("inputs", "raw", "target"), [(512, 568, 114), (1024, 1137, 229), (128, 141, 29)])
def test_published_lengths(inputs: int, raw: int, target: int) -> None:
    assert raw_length(inputs, Spans()) == (raw, target)
    holes, answer = corrupt_spans(range(raw), 9999, 1, DICE, Spans())
    assert len(holes) <= inputs and len(answer) == target


@pytest.mark.parametrize("length", [2, 3, 7, 20, 64, 333, 568])
def test_input_and_target_give_the_text_back(length: int) -> None:
    for _ in range(20):
        text = [int(one) for one in DICE.integers(10, 900, size=length)]
        holes, answer = corrupt_spans(text, 999, 1, DICE, Spans())
        assert holes[-1] == answer[-1] == 1
        assert holes[0] == text[0]
        sentinels = [one for one in holes if one > 900]
        assert sentinels == list(range(999, 999 - len(sentinels), -1))
        assert sentinels == [one for one in answer if one > 900]
        assert all(not (one > 900 and other > 900) for one, other in pairwise(holes))
        spans: dict[int, list[int]] = {}
        for one in answer[:-1]:
            if one > 900:
                spans[one] = []
            else:
                spans[next(reversed(spans))].append(one)
        back = [token for one in holes[:-1] for token in (spans[one] if one > 900 else [one])]
        assert back == text


def test_the_share_that_is_taken_out() -> None:
    assert abs(sum(Spans().counts(length)[0] for length in range(100, 600)) / sum(range(100, 600)) - 0.15) < 0.005


def test_a_text_too_short_to_cut() -> None:
    with pytest.raises(ValueError, match="nothing to take out"):
        corrupt_spans([5], 99, 1, DICE, Spans())


def test_a_text_with_more_spans_than_sentinels() -> None:
    with pytest.raises(ValueError, match="150 sentinels"):
        corrupt_spans([5] * 3000, 99, 1, DICE, Spans())
