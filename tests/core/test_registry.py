"""A file dropped in a folder is a plug-in; another package adds one through an entry point."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from dragoman.core import registry
from dragoman.core.errors import UserError
from dragoman.core.registry import Registry

FEW_SHOT = '''"""A plug-in."""
from dataclasses import dataclass


@dataclass(frozen=True)
class FewShot:
    """Answer as the nearest examples do."""

    neighbours: int = 5
    "How many examples vote."
    temperature: float = 0.05
    "How sharply the nearest outvotes the others."
'''


@dataclass(frozen=True)
class Outside:
    """A plug-in of another package."""

    strength: float = 1.0


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry over a package made for the test."""
    folder = tmp_path / "made_for_test" / "steps"
    folder.mkdir(parents=True)
    for name, text in {
        "../__init__.py": '"""A package."""\n',
        "__init__.py": '"""Plug-ins."""\n',
        "few_shot.py": FEW_SHOT,
        "broken.py": "raise ImportError('torch is not here')\n",
        "plain.py": '"""Not a dataclass."""\nclass Plain: ...\n',
        "_private.py": "",
        "notes.txt": "",
    }.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    registry._names.cache_clear()
    registry._outside.cache_clear()
    yield Registry("made_for_test.steps", "step")
    registry._names.cache_clear()
    registry._outside.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "made_for_test"]:
        del sys.modules[name]


def test_names_come_from_the_folder_and_import_nothing(steps: Registry) -> None:
    assert steps.names() == ("broken", "few_shot", "plain")
    assert "made_for_test.steps.few_shot" not in sys.modules


def test_a_plug_in_is_made_with_its_settings_checked(steps: Registry) -> None:
    made = steps.make("few_shot", {"neighbours": 7})
    assert (type(made).__name__, made.neighbours, made.temperature) == ("FewShot", 7, 0.05)
    assert steps.make("few_shot", {}).neighbours == 5


def test_a_wrong_setting_of_a_plug_in_is_named(steps: Registry) -> None:
    with pytest.raises(UserError, match=r"there is no setting named 'step\.neighbors'") as told:
        steps.make("few_shot", {"neighbors": 7})
    assert "did you mean 'neighbours'?" in told.value.hint
    with pytest.raises(UserError, match=r"^ladder\.few_shot\.neighbours cannot be 'many'"):
        steps.make("few_shot", {"neighbours": "many"}, where="ladder.few_shot")


@pytest.mark.parametrize(
    ("name", "hint"), [("fewshot", "did you mean 'few_shot'?"), ("_private", "known: broken"), ("", "known")]
)
def test_an_unknown_name_gets_the_nearest(steps: Registry, name: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"there is no step named '{name}'") as told:
        steps.kind(name)
    assert hint in told.value.hint


@pytest.mark.parametrize("name", ["../few_shot", "few_shot.FewShot", "os", "__init__"])
def test_a_name_is_never_a_way_to_another_module(steps: Registry, name: str) -> None:
    with pytest.raises(UserError):
        steps.kind(name)


def test_what_a_plug_in_fails_on_is_not_hidden(steps: Registry) -> None:
    with pytest.raises(ImportError, match="torch is not here"):
        steps.kind("broken")
    with pytest.raises(TypeError, match="must be a dataclass"):
        steps.make("plain", {})


def test_another_package_adds_one_through_an_entry_point(steps: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def points(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("outside", f"{__name__}:Outside", group)]

    monkeypatch.setattr(registry, "entry_points", points)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys)
    registry._names.cache_clear()
    registry._outside.cache_clear()
    assert steps.names() == ("broken", "few_shot", "outside", "plain")
    assert steps.make("outside", {"strength": 2}).strength == 2.0
    assert asked == ["dragoman.step"]
