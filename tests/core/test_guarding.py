"""The settings of guards and prompt: what they may be, and what is no host, no cosine and no label."""

import pytest

from dragoman.core.config import build, dump
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.project import overlay


def test_they_are_sections_of_the_project() -> None:
    words = ("guards.canary=true", "guards.links=Docs.Example.org", "guards.personal=on", "guards.topic=0.25")
    project = overlay({"data": {"source": "x"}}, words)
    assert project.guards == Guards(True, 0.25, personal=True, links=("Docs.Example.org",))
    assert project.guards.hosts == {"docs.example.org"} and project.prompt == Prompting()
    assert build(Guards, dump(project.guards), "guards") == project.guards


def test_a_path_in_a_word_starts_where_the_person_stands() -> None:
    project = overlay({"data": {"source": "x"}, "root": "elsewhere"}, ("prompt.file=answer.md",))
    assert project.prompt.file.startswith("/")
    assert overlay({"data": {"source": "x"}, "prompt": {"file": "answer.md"}}, ()).prompt.file == "answer.md"


def test_none_is_no_host_and_asks_for_the_filter_all_the_same() -> None:
    assert Guards(links=("none",)).hosts == frozenset() and Guards(links=("none",)).links


def test_a_classifier_is_named_with_its_label() -> None:
    assert Guards(toxicity="a#b#rude").judge == ("a#b", "rude") and Guards().judge == ("", "")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("guards.links=https://x.org/", "is no host"),
        ("guards.toxicity=folder", "does not name a classifier and a label"),
        ("guards.topic=3", "cannot be 3"),
        ("guards.personal=maybe", "guards"),
        ("guards.marks=loud", "guards.marks"),
        ("guards.canry=true", "guards.canry"),
    ],
)
def test_mistakes_are_told(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        overlay({"data": {"source": "x"}}, (word,))
