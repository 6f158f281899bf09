"""Stems by Porter's algorithm with its usual amendments."""

import pytest

from dragoman.metrics._stem import stem

STEMS = """
caresses:caress ponies:poni ties:tie cats:cat agreed:agre feed:feed plastered:plaster bled:bled motoring:motor sing:sing
conflated:conflat hopping:hop falling:fall hissing:hiss filing:file died:die happy:happi enjoy:enjoy sky:sky news:news
relational:relat conditional:condit rational:ration vietnamization:vietnam geologi:geolog electrical:electr
goodness:good hopeful:hope revival:reviv adjustment:adjust adoption:adopt rate:rate cease:ceas roll:roll at:at
dying:die controlling:control
"""


@pytest.mark.parametrize(("word", "expected"), [pair.split(":") for pair in STEMS.split()])
def test_a_stem(word: str, expected: str) -> None:
    assert stem(word) == expected
