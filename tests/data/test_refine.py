"""A part holds the cleaned texts of its block, and counts everything that was done to them."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.data import refine as refining
from dragoman.data.quality import Quality
from dragoman.data.refine import Keys, Rules, key_names, refine

LONG = (
    "A paragraph that is long enough to be compared with others, as it has more than two hundred characters in it. " * 2
)
TEXTS = [
    "The first line of a text.\r\nAnd the second\x07 one.",
    "no",
    f"{LONG}\n\nWrite to jane@example.org about it.",
    "Das ist nicht der Weg, den wir mit den anderen für die Kinder gehen wollen.",
    "word " * 400,
]


def test_what_is_kept_and_what_is_counted(tmp_path: Path) -> None:
    facts = refine(TEXTS, Rules(), tmp_path)
    ends = np.load(tmp_path / "ends.npy").tolist()
    raw = (tmp_path / "text.bin").read_bytes()
    texts = [raw[begin:end].decode() for begin, end in zip([0, *ends], ends, strict=False)]
    assert texts[0] == "The first line of a text.\nAnd the second one."
    assert texts[1] == f"{LONG}\n\nWrite to ja...[e-mail] about it."
    assert len(texts) == facts["documents"] == 3 and facts["read"] == 5 and facts["bytes"] == len(raw)
    assert facts["read_bytes"] == sum(len(text.encode()) for text in TEXTS)
    assert facts["dropped"] == {"short": 1, "repetitive": 1} and facts["examples"]["short"] == ["no"]
    assert facts["changed"] == {"line-ends": 1, "control": 1} and facts["masked"] == {"e-mail": 1}
    assert facts["languages"] == {"en": 2, "de": 1}
    pieces = np.load(tmp_path / "pieces.npy")
    assert pieces[:, 0].tolist() == [0, 1, 1, 2] and pieces[-1, 1] == len(raw)


def test_other_rules(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    rules = Rules(clean=False, quality=Quality(preset="none"), mask="none", near=1.0, paragraph=0)
    facts = refine(TEXTS, rules, tmp_path / "a")
    assert (tmp_path / "a" / "text.bin").read_bytes() == "".join(TEXTS).encode()
    assert facts["documents"] == 5 and not facts["dropped"] and key_names(rules) == ["documents"]
    assert refine(TEXTS, Rules(languages=("de",)), tmp_path / "b")["dropped"]["language"] == 2
    assert refine(["", " \n"], Rules(), tmp_path / "c")["dropped"] == {"blank": 2}


def test_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "single").mkdir()
    facts = refine(TEXTS, Rules(), tmp_path / "whole")
    monkeypatch.setattr(refining, "BATCH", 1)
    assert refine(TEXTS, Rules(), tmp_path / "single") == facts
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "single" / file.name).read_bytes(), file.name


def test_keys_are_sorted_and_come_back(tmp_path: Path) -> None:
    keys = Keys.sorted(np.array([9, 3, 9, 2**63], np.uint64), np.array([0, 1, 2, 3], np.uint32))
    keys.save(tmp_path, "some")
    found = Keys.open(tmp_path, "some")
    assert found.keys.tolist() == [3, 9, 9, 2**63] and found.units.tolist() == [1, 0, 2, 3]
    assert key_names(Rules()) == ["documents", "documents-near", "paragraphs", "paragraphs-near"]
