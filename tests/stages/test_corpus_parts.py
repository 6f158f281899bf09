"""A part that is whole is not made again; one that is damaged or of another text is."""

from pathlib import Path

import pytest

from dragoman.data.refine import Rules
from dragoman.stages.corpus_parts import Block, facts_of, raw_digest, refine_block

TEXTS = ["A text of some words.", "Another one, which has more of them."]


@pytest.fixture
def block(tmp_path: Path) -> Block:
    return Block(TEXTS, tmp_path / "part", Rules(), raw_digest(TEXTS))


def test_a_whole_part_is_used_again(block: Block) -> None:
    first = refine_block(block)
    made = (block.folder / "text.bin").stat().st_ino
    assert refine_block(block) == first and first["documents"] == 2
    assert (block.folder / "text.bin").stat().st_ino == made


def test_a_damaged_part_is_made_again(block: Block) -> None:
    first = refine_block(block)
    whole = (block.folder / "text.bin").read_bytes()
    (block.folder / "text.bin").write_bytes(whole[:-1] + b"?")
    assert facts_of(block.folder, block.digest) is None
    assert refine_block(block) == first and (block.folder / "text.bin").read_bytes() == whole


def test_another_text_makes_another_part(block: Block) -> None:
    refine_block(block)
    other = Block(TEXTS[:1], block.folder, block.rules, raw_digest(TEXTS[:1]))
    assert refine_block(other)["documents"] == 1
    assert len({raw_digest(texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])}) == 4
