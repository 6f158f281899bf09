"""What was promoted last serves; a broken last line is none."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.promotions import Promotion, keep_promotion, promoted, promotions


def test_the_last_one_holds(tmp_path: Path) -> None:
    assert promoted(tmp_path) == "" and promotions(tmp_path) == []
    first = Promotion("lora-1", "2026-01-01T00:00:00Z", "", "forced", True)
    second = Promotion("full-2", "2026-01-02T00:00:00Z", "lora-1", "liked", False, {"low": 0.1, "high": [1, 2]})
    keep_promotion(tmp_path, first)
    keep_promotion(tmp_path, second)
    assert promotions(tmp_path) == [first, second] and promoted(tmp_path) == "full-2"
    file = tmp_path / "promotions.jsonl"
    file.write_bytes(file.read_bytes()[:-20])  # a power cut
    assert promoted(tmp_path) == "lora-1"
    keep_promotion(tmp_path, first)
    with pytest.raises(UserError, match=r"promotions\.jsonl:2 is no promotion"):
        promoted(tmp_path)
