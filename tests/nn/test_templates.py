"""The chat templates that models without one are given."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.templates import TEMPLATES, template_of
from tests.nn.tiny_lm import tokens

DIALOGUE = [Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")]
WRITTEN = {
    "instruct": "Be kind.\n\n### Instruction:\nHi\n\n### Response:\nHello|### Instruction:\nBye\n\n### Response:\n",
    "roles": "System:\nBe kind.\n\nUser:\nHi\n\nAssistant:\nHello|User:\nBye\n\nAssistant:\n",
    "plain": "Be kind.\nHi\nHello|Bye\n",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_written(name: str, tmp_path: Path) -> None:
    given = tokens("llama", tmp_path, TEMPLATES[name])
    ids = given.dialogue(DIALOGUE)
    end = given.number("</s>")
    parts = [given.decode(ids[: ids.index(end)]), given.decode(ids[ids.index(end) + 1 :])]  # type: ignore[arg-type]
    assert "|".join(parts) == WRITTEN[name]
    assert ids[0] == given.bos_id and ids.count(ids[0]) == 1 and ids.count(end) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_beginning_that_is_also_the_end_is_not_written(name: str, tmp_path: Path) -> None:
    given = tokens("llama", tmp_path)
    given.special = {**given.special, "bos_token": "</s>"}  # as in GPT-2
    given.use_template(TEMPLATES[name])
    assert given.dialogue(DIALOGUE[:2]).count(given.number("</s>")) == 0  # type: ignore[arg-type]


def test_a_template_in_use_is_saved_and_served(tmp_path: Path) -> None:
    given = tokens("llama", tmp_path / "one")
    assert not given.chat
    given.use_template(TEMPLATES["roles"])
    given.save(tmp_path / "two")
    again = type(given)(tmp_path / "two")
    assert again.template == TEMPLATES["roles"]
    assert again.dialogue(DIALOGUE) == given.dialogue(DIALOGUE)


def test_a_template_by_name_or_file(tmp_path: Path) -> None:
    assert template_of("auto", "own") == "own"
    assert template_of("auto") == TEMPLATES["instruct"]
    assert template_of("plain", "own") == TEMPLATES["plain"]
    (tmp_path / "mine.jinja").write_text("{{ messages }}")
    assert template_of(str(tmp_path / "mine.jinja")) == "{{ messages }}"
    for wrong in ("instrukt", str(tmp_path / "none.jinja")):
        with pytest.raises(UserError, match="no chat template named") as caught:
            template_of(wrong)
        assert ".jinja" in caught.value.hint
