"""What a task asks of a model that writes: objective, instruction, tokenizer and template, general texts."""

from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import Project, overlay
from dragoman.core.types import Example, Message
from dragoman.nn.store import read_arch
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.writing import (
    general_texts,
    instruction_of,
    known,
    model_kind,
    objective_of,
    open_tokenizer,
    taught,
    tokens_an_example,
    writes,
)
from tests.nn.chats import GEMMA, write_chat
from tests.writers import write_model

EXAMPLE = Example((Message("system", "Be brief."), Message("user", "a text")), ("an answer",))


def project(task: str = "chat", **models: object) -> Project:
    table = {"scope": {"task": task, "target": {"rougel": ">= 0.1"}}, "models": {"candidates": ["x"], **models}}
    return overlay({**table, "data": {"source": "rows.jsonl"}}, ())


@pytest.mark.parametrize(
    ("task", "kind", "objective"),
    [
        ("classify", "encoder", "classify"),
        ("tag", "encoder", "tag"),
        ("answer", "encoder", "extract"),
        ("answer", "decoder", "sft"),
        ("summarize", "encoder-decoder", "seq2seq"),
    ],
)
def test_the_kind_of_model_says_by_what_it_learns(task: str, kind: str, objective: str) -> None:
    assert objective_of(task, kind) == objective
    assert writes(objective) is (objective in ("sft", "seq2seq"))


@pytest.mark.parametrize(("task", "kind"), [("chat", "encoder"), ("classify", "decoder"), ("tag", "encoder-decoder")])
def test_what_a_model_cannot_do_is_said(task: str, kind: str) -> None:
    with pytest.raises(UserError, match=r"encoder|writes"):
        objective_of(task, kind)


def test_the_last_message_is_instructed_and_nothing_else() -> None:
    told = taught([EXAMPLE, Example((), ("plain text",))], "Do it: {text}!")
    assert [one.content for one in told[0].prompt] == ["Be brief.", "Do it: a text!"]
    assert told[0].answers == EXAMPLE.answers and told[1].prompt == ()
    assert taught([EXAMPLE], "Do it.")[0].prompt[-1].content == "Do it.\n\na text"
    assert taught([EXAMPLE], "") == [EXAMPLE]


def test_a_task_has_an_instruction_of_its_own() -> None:
    assert instruction_of(project("summarize")).startswith("Summarize")
    own = project("summarize")
    assert instruction_of(replace(own, scope=replace(own.scope, instruction="Kurz:"))) == "Kurz:"
    assert instruction_of(project("chat")) == "" and known(project("chat"))["task"] == "chat"


def test_a_model_without_a_template_gets_the_built_in_one_and_says_so(tmp_path: Path) -> None:
    base, said = write_model(tmp_path / "base"), list[str]()
    tokenizer = open_tokenizer(base, read_arch(base), project(), [EXAMPLE], said.append)
    assert "### Response:" in tokenizer.template and "instruct" in said[0]
    assert not Tokenizer(base).chat and model_kind(base) == "decoder"


def test_a_template_that_ends_answers_otherwise_teaches_where_to_stop(tmp_path: Path) -> None:
    folder, said = write_chat("gemma", tmp_path / "chat"), list[str]()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    arch = read_arch(write_model(tmp_path / "base"))
    row = Example((Message("user", "a text"),), ("an answer",))
    tokenizer = open_tokenizer(folder, replace(arch, vocabulary=400), project(), [row], said.append)
    turn = tokenizer.number("<end_of_turn>")
    assert turn in tokenizer.eos_ids and any("stop-token-not-stopping" in text for text in said)
    assert tokenizer.template == GEMMA


def test_general_texts_fall_into_two_parts_that_share_none(tmp_path: Path) -> None:
    lines = "".join(f"{number} is a number that stands in a text of its own\n\n" for number in range(40))
    (tmp_path / "general.txt").write_text(lines, encoding="utf-8")
    own = project()
    own = replace(own, data=replace(own.data, general=str(tmp_path / "general.txt")))
    tokenizer = Tokenizer(write_model(tmp_path / "base"))
    replayed, measured = general_texts(own, tokenizer)
    assert len(measured.sources[0].ends) < len(replayed.sources[0].ends)
    assert len(measured.sources[0].ends) + len(replayed.sources[0].ends) >= 10
    (tmp_path / "general.txt").write_text("one\n", encoding="utf-8")
    with pytest.raises(UserError, match="too few to measure forgetting on"):
        general_texts(own, tokenizer)


def test_how_long_an_example_is() -> None:
    card = {"length": {"tokens": {"median": 40}}, "answers": {"tokens": {"median": 8}}}
    assert tokens_an_example(card) == 60.0
    assert tokens_an_example({}) == 100.0
