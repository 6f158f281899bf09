"""Sources that give different numbers for one statement, and the many that do not contradict."""

import json
from pathlib import Path

import pytest

from dragoman.app.contradiction import contradictions
from dragoman.app.wording import words
from dragoman.core.sentences import split_sentences
from tests.app.shelf import passage


def values(one: str, other: str, source: str = "b.md") -> list[tuple[str, str]]:
    return [found.values for found in contradictions((passage(one), passage(other, 2, source)))]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The tower was built in 1889.", "The tower was built in 1890.", [("1889", "1890")]),
        ("The bridge is 90 m long.", "A hill. The bridge is 1,090 m long!", [("90", "1,090")]),
        ("The team has four goals.", "The team has 4 goals.", []),
        ("In 2019 the town built a bridge.", "In 2020 the town built a bridge.", []),
        ("The town grew quickly in 2019.", "The town grew quickly in 2020.", []),
        ("In 2019 sales were 5 million.", "In 2020 sales were 7 million.", []),
        ("Anna has 3 red cats.", "Ben has 4 red cats.", []),
        ("The bridge is 90 m long.", "The bridge is not 91 m long.", []),
        ("The bridge is 5 km long.", "The bridge is 3 miles long.", []),
        ("It is 5.", "It is 6.", []),
    ],
)
def test_pairs(one: str, other: str, expected: list[tuple[str, str]]) -> None:
    assert values(one, other) == expected
    assert values(one, other, "a.md") == []  # one source goes on about other things


def test_real_paragraphs_do_not_contradict_and_planted_ones_do(shared_data: Path) -> None:
    articles = json.loads((shared_data / "qa/xquad.en.json").read_text())["data"]
    texts = [one["context"] for article in articles for one in article["paragraphs"]]
    shown = [passage(text, number, f"{number}.md") for number, text in enumerate(texts, 1)]
    assert contradictions(shown) == []  # 180 paragraphs, every sentence against every other
    planted = found = 0
    for text in texts:
        said = text[slice(*max(split_sentences(text), key=lambda span: span[1] - span[0]))]
        counted = [one for one in words(said) if said[one.start : one.end].isdigit() and one.end - one.start < 4]
        if counted:
            other = said[: counted[0].start] + "77" + said[counted[0].end :]
            planted += 1
            found += len(values(text, other)) == 1
    assert planted >= 30
    assert found / planted >= 0.9
