"""A project is opened with rungs and training settings checked, and commands name it from where the person stands."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.settled import command, settled
from tests.nn.tiny_lm import folder_of

CHAT, TARGET = "scope.task=chat", ('scope.target.rougel=">= 0.1"',)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The smallest project file."""
    path = tmp_path / "dragoman.toml"
    path.write_text('[data]\nsource = "rows.jsonl"\n', encoding="utf-8")
    return path


def test_a_good_project(file: Path) -> None:
    assert settled(str(file), ("train.rate=1e-3",)).train == {"rate": 1e-3}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ladder.rungs=[]", "is empty"),
        ('ladder.rungs=["lra"]', "no rung named 'lra'"),
        ('ladder.rungs=["head", "head"]', "'head' twice"),
        ("train.rat=1", "train.rat"),
        ("train.batch=0", "train.batch"),
    ],
)
def test_a_mistake_is_answered_before_any_work(word: str, said: str, file: Path) -> None:
    with pytest.raises(UserError, match=said):
        settled(str(file), (word,))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("guards.canary=true",), "the task is classify"),
        ((CHAT.replace("chat", "answer"), *TARGET, "guards.canary=true"), "builtin:minilm cuts answers out of a text"),
        ((CHAT, *TARGET, 'ladder.rungs=["rag"]', "documents.source=docs", "prompt.file=HERE"), "no model reads"),
        ((CHAT, *TARGET, "prompt.file=none.md"), "there is no prompt at"),
    ],
)
def test_a_prompt_and_guards_go_with_the_task(words: tuple[str, ...], said: str, file: Path) -> None:
    (file.parent / "answer.md").write_text("Be brief.")
    with pytest.raises(UserError, match=said):
        settled(str(file), [word.replace("HERE", str(file.parent / "answer.md")) for word in words])


def test_commands_are_fit_for_a_shell() -> None:
    assert command("run", "") == "dragoman run"
    assert command("run", "my project") == "dragoman run 'my project'"


LIMITED = ('scope.limits.forgetting="<= 0.05"',)


def test_forgetting_is_not_limited_where_it_is_not_measured(file: Path, tmp_path: Path) -> None:
    models = {name: folder_of(family, tmp_path / name) for name, family in (("two", "t5"), ("one", "llama"))}
    tag = ("scope.task=tag", 'scope.target.entity_f1=">= 0.5"', *LIMITED)
    with pytest.raises(UserError, match="not measured where an encoder learns to tag"):
        settled(str(file), tag)
    words = ("scope.task=summarize", 'scope.target.rougel=">= 0.1"', *LIMITED)
    with pytest.raises(UserError, match="encoder-decoder learns to summarize") as told:
        settled(str(file), (*words, f'models.candidates=["{models["two"]}"]'))
    assert "scope.limits" in told.value.hint
    settled(str(file), (*words, f'models.candidates=["{models["one"]}"]'))
    settled(str(file), (*words, f'models.candidates=["{models["two"]}"]', 'ladder.rungs=["zero_shot"]'))
    settled(str(file), LIMITED)
