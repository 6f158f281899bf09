"""Settings: each mistake is named with its place and the nearest name; what is written down builds the same again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from dragoman.core.config import Setting, build, describe, dump, merge, nearest, parse_word, read_toml
from dragoman.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Inner:
    """Two levels down."""

    file: str = ""
    "A file."
    rate: float = 2e-4
    "A rate."


@dataclass(frozen=True, slots=True)
class Middle:
    """One level down."""

    source: str = ""
    "Where from."
    inner: Inner = field(default_factory=Inner)
    "More of it."
    names: Mapping[str, str] = field(default_factory=dict)
    "Names and what they mean."


@dataclass(frozen=True, slots=True)
class Outer:
    """The whole."""

    needed: str
    "A setting without a default,\n    told over two lines."
    middle: Middle = field(default_factory=Middle)
    "The middle."
    order: Literal["up", "down"] = "up"
    "Which way."
    shares: tuple[float, float] = (0.5, 0.5)
    "Two shares."
    rungs: tuple[str, ...] = ("head",)
    "Any number."
    count: int = 3
    "How many."
    on: bool = False
    "Whether."
    folder: Path = Path(".")
    "Where."
    kind: ClassVar[str] = "not a setting"
    unsaid: int = 0


def refused(table: Any, where: str = "") -> UserError:
    with pytest.raises(UserError) as told:
        build(Outer, {"needed": "x", **table}, where)
    return told.value


@pytest.mark.parametrize(
    ("table", "place", "hint"),
    [
        ({"cuont": 1}, "cuont", "did you mean 'count'?"),
        ({"middle": {"sorce": "a"}}, "middle.sorce", "did you mean 'source'?"),
        ({"middle": {"inner": {"flie": "a"}}}, "middle.inner.flie", "did you mean 'file'?"),
        ({"zzz": 1}, "zzz", "known: count, folder"),
        ({"kind": "x"}, "kind", "known"),
    ],
)
def test_an_unknown_name_at_any_depth(table: dict[str, Any], place: str, hint: str) -> None:
    error = refused(table)
    assert error.problem == f"there is no setting named '{place}'"
    assert hint in error.hint
    assert f"'fit.{place}'" in refused(table, "fit").problem


@pytest.mark.parametrize(
    ("table", "place", "given"),
    [
        ({"count": "three"}, "count", "'three'"),
        ({"count": 1.5}, "count", "1.5"),
        ({"on": "perhaps"}, "on", "'perhaps'"),
        ({"order": "sideways"}, "order", "'sideways'"),
        ({"shares": [0.5, "half"]}, "shares.1", "'half'"),
        ({"rungs": 3}, "rungs", "3"),
        ({"middle": {"inner": {"rate": "fast"}}}, "middle.inner.rate", "'fast'"),
        ({"middle": {"names": {"a": ["b"]}}}, "middle.names.a", "['b']"),
        ({"middle": {"names": 3}}, "middle.names", "3"),
        ({"needed": True}, "needed", "True"),
    ],
)
def test_a_wrong_value_at_any_depth(table: dict[str, Any], place: str, given: str) -> None:
    error = refused(table)
    assert error.problem == f"{place} cannot be {given}"
    assert error.hint
    assert error.hint[0].islower()


def test_a_choice_lists_what_may_be_chosen_and_a_default_is_shown() -> None:
    assert "'up' or 'down'" in refused({"order": "sideways"}).hint
    assert "(the default is 3)" in refused({"count": "three"}).hint


def test_what_is_missing_is_named_with_the_words_that_give_it() -> None:
    with pytest.raises(UserError, match="the setting needed is missing") as told:
        build(Outer, {})
    assert "needed=..." in told.value.hint


def test_values_take_the_type_that_is_asked() -> None:
    made = build(
        Outer,
        {
            "needed": 7,
            "shares": [1, 2],
            "rungs": ["a", "b"],
            "folder": "here",
            "middle": {"source": 1.5, "inner": {"rate": 1}},
        },
    )
    assert made.needed == "7"
    assert made.shares == (1.0, 2.0)
    assert made.rungs == ("a", "b")
    assert made.folder == Path("here")
    assert made.middle.source == "1.5"
    assert isinstance(made.middle.inner.rate, float)


def test_a_text_may_look_like_a_number_or_a_day() -> None:
    for word in ("file=7", "file=2027-01-31"):
        (name,), value = parse_word(word)
        assert build(Inner, {name: value}, "").file == word.partition("=")[2]


def test_a_bare_value_is_the_first_setting_of_its_section() -> None:
    made = build(Outer, {"needed": "x", "middle": "rows.csv"})
    assert made.middle == Middle(source="rows.csv")
    assert build(Outer, {"": "x"}).needed == "x"
    assert build(Outer, {"needed": "x", "middle": Middle(source="made")}).middle.source == "made"


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("data.near_duplicate=0.9", ("data", "near_duplicate"), 0.9),
        ("train.rate=2e-4", ("train", "rate"), 2e-4),
        ("data.seed=1", ("data", "seed"), 1),
        ("ladder.all=true", ("ladder", "all"), True),
        ('ladder.rungs=["head", "lora"]', ("ladder", "rungs"), ["head", "lora"]),
        ('scope.target={ macro_f1 = ">= 0.6" }', ("scope", "target"), {"macro_f1": ">= 0.6"}),
        ('scope.name="007"', ("scope", "name"), "007"),
        ("scope.name=007", ("scope", "name"), "007"),
        ("scope.target.macro_f1=>= 0.6", ("scope", "target", "macro_f1"), ">= 0.6"),
        ("data=../rows (1).csv", ("data",), "../rows (1).csv"),
        ("data.source=a=b", ("data", "source"), "a=b"),
        ("scope.objective=Send it, please.", ("scope", "objective"), "Send it, please."),
        ("data.source=", ("data", "source"), ""),
        (" data . seed =1", ("data", "seed"), 1),
    ],
)
def test_words(word: str, path: tuple[str, ...], value: object) -> None:
    assert parse_word(word) == (path, value)
    assert type(parse_word(word)[1]) is type(value)


@pytest.mark.parametrize("word", ["=1", ".seed=1", "data.=1", "data..seed=1", ""])
def test_words_that_name_nothing(word: str) -> None:
    with pytest.raises(UserError, match="is not a setting") as told:
        parse_word(word)
    assert "section.key=value" in told.value.hint


def test_merging_lays_one_setting_over_the_others() -> None:
    table = {"data": {"source": "a", "columns": {"text": "t"}}, "seed": 1}
    assert merge(table, ("data", "columns", "label"), "l")["data"]["columns"] == {"text": "t", "label": "l"}
    assert merge(table, ("seed",), 2) == {**table, "seed": 2}
    assert merge(table, ("new", "deep"), 1)["new"] == {"deep": 1}
    assert merge(table, ("data",), {"source": "b"})["data"] == {"source": "b"}, "a table replaces a table"
    assert table == {"data": {"source": "a", "columns": {"text": "t"}}, "seed": 1}, "the old one is as it was"


def test_a_bare_value_laid_over_a_table_keeps_the_rest_of_it() -> None:
    table = {"needed": "x", "middle": {"source": "a", "inner": {"file": "f"}}}
    made = build(Outer, merge(table, ("middle",), "b"))
    assert (made.middle.source, made.middle.inner.file) == ("b", "f")
    made = build(Outer, merge({"needed": "x", "middle": "a"}, ("middle", "inner"), "f"))
    assert (made.middle.source, made.middle.inner.file) == ("a", "f")


def test_of_a_bare_and_a_named_value_the_later_wins() -> None:
    table: dict[str, Any] = {"needed": "x", "middle": {"source": "a"}}
    bare_last = merge(merge(table, ("middle", "source"), "named"), ("middle",), "bare")
    named_last = merge(merge(table, ("middle",), "bare"), ("middle", "source"), "named")
    assert build(Outer, bare_last).middle.source == "bare"
    assert build(Outer, named_last).middle.source == "named"


def test_what_is_dumped_builds_the_same_again() -> None:
    made = build(
        Outer, {"needed": "x", "shares": [0.2, 0.8], "folder": "here", "middle": {"names": {"a": "b"}, "inner": "f"}}
    )
    plain = dump(made)
    assert plain["middle"]["inner"] == {"file": "f", "rate": 2e-4}, "defaults are written down too"
    assert plain["shares"] == [0.2, 0.8]
    assert plain["folder"] == "here"
    assert build(Outer, plain) == made


def test_settings_are_described_from_their_source() -> None:
    told = {setting.name: setting for setting in describe(Outer)}
    assert list(told) == ["needed", "middle", "order", "shares", "rungs", "count", "on", "folder", "unsaid"]
    assert told["needed"] == Setting("needed", "str", "", "A setting without a default, told over two lines.")
    assert told["order"].default == "'up'"
    assert told["unsaid"].help == ""
    assert {setting.name: setting.default for setting in describe(Middle)}["names"] == "{}"


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("rnak", ["alpha", "rank", "where"], "did you mean 'rank'? known: alpha, rank, where"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("x", [], "known: none"),
    ],
)
def test_the_nearest_name(name: str, names: list[str], hint: str) -> None:
    assert nearest(name, names) == hint


def test_a_long_list_of_names_is_cut() -> None:
    assert nearest("zzz", [f"name_{number}" for number in range(500)]).count(",") == 29


def test_toml_is_read_or_its_fault_is_placed(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.toml"
    file.write_text("[train]\nrate = 2e-4\n")
    assert read_toml(file) == {"train": {"rate": 2e-4}}
    file.write_text("[train]\nrate = fast\n")
    with pytest.raises(UserError, match=r"is not valid TOML: .*line 2, column 8") as told:
        read_toml(file)
    assert "quotes" in told.value.hint
    file.write_bytes("name = 'grüß'".encode("latin-1"))
    with pytest.raises(UserError, match=r"is not UTF-8: .* at byte 10"):
        read_toml(file)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_toml(tmp_path)
