"""Each filter takes what it names, and none takes poems, plays or programs."""

import dataclasses
import inspect
import textwrap
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.data.letters import look
from dragoman.data.quality import FILTERS, Quality, judge

PROSE = (
    "The harbour lay still that winter, and the lanterns of the boats burned until the morning came over the hills. "
)
POEM = (
    "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\nCould frame thy fearful?\n"
)
PLAY = (
    "ALL:\nSpeak, speak.\n\nFIRST CITIZEN:\nYou are all resolved?\n\nALL:\nResolved.\n\nFIRST CITIZEN:\nSpeak, speak.\n"
)
WEB = {"preset": "web", "min_words": 1.0, "min_letters": 0.0, "min_compressed": 0.0}


def one(text: str, **given: object) -> str:
    return judge([text], look([text]), Quality(**given))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name", "given"),
    [
        (" \n\t", "blank", {}),
        ("caf\ufffd " * 20, "undecoded", {}),
        ("two words", "short", {}),
        (PROSE, "short", {"preset": "web"}),
        (PROSE * 20, "long", {"max_words": 100.0}),
        ("x" * 200 + " a b c", "word-length", {}),
        ("a b c d e f g h", "word-length", {}),
        ("--- *** !!! one two three ??? === %%% &&&", "few-letters", {}),
        ("so then # it goes # further # on", "symbols", WEB),
        ("- one thing here\n" * 3 + "- another thing there\n" * 3, "bullets", {**WEB, "max_repeated": 9.0}),
        ("it breaks off here...\nand here again...\nhere too...\nand once more...", "ellipses", WEB),
        ("the very same line again\n" * 9, "repeated-lines", {}),
        ("buy now and save " * 200, "repetitive", {}),
        (PROSE + "Lorem ipsum dolor sit amet.", "lorem-ipsum", {}),
    ],
)
def test_each_filter_takes_what_it_names(text: str, name: str, given: dict[str, object]) -> None:
    assert one(text, **given) == name
    assert one(text, preset="none") == ("blank" if name == "blank" else "")


def test_every_filter_is_tested() -> None:
    mark = next(mark for mark in test_each_filter_takes_what_it_names.pytestmark if mark.name == "parametrize")
    assert {row[1] for row in mark.args[1]} == set(FILTERS)


@pytest.mark.parametrize("text", [PROSE, POEM, PLAY, "漢字仮名交じり文。これは日本語です。", "नमस्ते दुनिया, यह हिन्दी है।"])
def test_text_of_many_kinds_stays(text: str) -> None:
    assert one(text) == ""


def test_programs_stay_under_their_preset() -> None:
    for module in (inspect, textwrap, dataclasses):
        source = Path(str(module.__file__)).read_text()
        assert one(source, preset="code") == one(source) == ""


def test_a_bound_wins_over_its_preset() -> None:
    assert one("two words", min_words=2.0) == ""
    assert one(PROSE, preset="none", min_words=500.0) == "short"
    with pytest.raises(UserError, match="no preset of filters named 'tex'"):
        Quality(preset="tex")


def test_many_texts_are_judged_as_one_by_one() -> None:
    texts = [PROSE, "two words", POEM, "a b c d e f g h", PLAY]
    assert judge(texts, look(texts), Quality()) == [one(text) for text in texts]


def test_real_text_stays_whole(shared_data: Path) -> None:
    play = (shared_data / "pretrain" / "tinyshakespeare.txt").read_text()
    assert one(play) == one(play, preset="code") == ""
