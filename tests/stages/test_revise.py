"""The settings of `dragoman revise` are what its help tells."""

from dragoman.core.config import build
from dragoman.core.sampling import Sampling
from dragoman.stages.revise import Settings


def test_one_word_changes_no_other_setting() -> None:
    assert build(Settings, {}).how == Sampling()
    warm = build(Settings, {"how": {"temperature": 0.7}}).how
    assert (warm.temperature, warm.max_tokens) == (0.7, build(Settings, {}).how.max_tokens)
