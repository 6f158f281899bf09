"""A plug-in is read from a name or a table, and said again in the words of a command."""

import pytest

from dragoman.core.config import merge, parse_word
from dragoman.core.errors import UserError
from dragoman.stages.plugs import plug, said


def test_a_name_a_table_and_a_table_without_a_name() -> None:
    assert plug("lora", "tuning") == ("lora", {})
    assert plug({"": "lora", "rank": 16}, "tuning") == ("lora", {"rank": 16})
    with pytest.raises(UserError, match="settings but no name"):
        plug({"rank": 16}, "tuning")


def test_what_is_said_is_read_as_it_was() -> None:
    table = {"tuning": {"": "lora", "rank": 16, "where": ["query", "value"], "bias": False, "note": "ä b"}}
    words = said("tuning", table["tuning"])
    assert words[:2] == ["tuning=lora", "tuning.rank=16"]
    found: dict[str, object] = {}
    for word in words:
        path, value = parse_word(word)
        found = merge(found, path, value)
    assert found == table
