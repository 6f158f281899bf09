"""Answers that are on the disk before the next is asked: found again, by who was asked, how, and what."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import WritingLM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.stages import remembered as module
from dragoman.stages.remembered import RememberedLM
from tests.app.planted import Planted, answer_to


def prompts(*texts: str) -> list[list[Message]]:
    return [[Message("user", text)] for text in texts]


def test_what_was_answered_is_asked_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    file, how = tmp_path / "kept.jsonl", Sampling()
    killed = RememberedLM(Planted(lives=5), "m", file)
    assert isinstance(killed, WritingLM)
    with pytest.raises(KeyboardInterrupt):
        killed.generate(prompts(*"abcdefg"), how)
    lines = file.read_bytes()
    assert lines.count(b"\n") == 4  # two batches of two
    file.write_bytes(lines[:-9])  # and a power cut tore the last line
    again = Planted()
    found = RememberedLM(again, "m", file).generate(prompts(*"abacdefg"), how)
    assert [one.text for one in found] == [answer_to(text) for text in "abacdefg"]
    assert [asked[0].content for asked in again.asked] == list("defg")
    assert RememberedLM(Planted(lives=0), "m", file).generate(prompts(*"abacdefg"), how) == found
    for name, other in (("n", how), ("m", Sampling(seed=1))):
        fresh = RememberedLM(Planted(), name, file)
        fresh.generate(prompts("a", "a"), other)
        assert fresh.asked == 1


def test_scores_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    class Odd(Planted):
        def score(self, prompts, options, per="sum"):  # type: ignore[no-untyped-def]
            self.asked += prompts
            return np.array([[-len(prompt[0].content) / 3, -0.1 - 0.2] for prompt in prompts])

    file, lm = tmp_path / "kept.jsonl", Odd()
    first = RememberedLM(lm, "m", file).score(prompts("a", "bb", "a"), (" (A)", " (B)"))
    assert len(lm.asked) == 2
    again = RememberedLM(lm, "m", file).score(prompts("a", "bb", "a"), (" (A)", " (B)"))
    assert first.tobytes() == again.tobytes() and len(lm.asked) == 2
    RememberedLM(lm, "m", file).score(prompts("a"), (" (B)", " (A)"))
    assert len(lm.asked) == 3
    assert RememberedLM(lm, "m", file).score([], (" (A)",)).shape == (0, 1)
    assert list(RememberedLM(lm, "m", file).stream(prompts("a")[0], Sampling())) == [answer_to("a")]
