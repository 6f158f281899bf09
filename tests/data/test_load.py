"""Reading any set: the shape is guessed and said, its task too, and what a person says wins."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.data.load import Loaded, guess_task, load

# Every public set beside the repository: its shape, its task, its examples, its problems.
PUBLIC = {
    "instruction/alpaca_en.jsonl": ("instruct", "chat", 850, 0),
    "instruction/rasbt_instructions.jsonl": ("instruct", "chat", 945, 0),
    "instruction/toolcall_sharegpt.jsonl": ("chat", "chat", 240, 0),
    "qa/xquad.ar.json": ("squad", "answer", 908, 0),
    "qa/xquad.de.json": ("squad", "answer", 908, 0),
    "qa/xquad.en.json": ("squad", "answer", 908, 0),
    "qa/xquad.es.json": ("squad", "answer", 908, 0),
    "qa/xquad.zh.json": ("squad", "answer", 908, 0),
    "summarization/dialogsum_dev.jsonl": ("summarize", "summarize", 500, 0),
    "summarization/dialogsum_test.jsonl": ("summarize", "summarize", 100, 0),
    "summarization/dialogsum_train.jsonl": ("summarize", "summarize", 3000, 0),
    "token_classification/wnut17_dev.conll": ("tag", "tag", 1009, 0),
    "token_classification/wnut17_train.conll": ("tag", "tag", 3394, 0),
    "translation/multi30k_test2016.jsonl": ("translate", "translate", 1000, 0),
    "translation/multi30k_train.jsonl": ("translate", "translate", 8000, 0),
    "translation/multi30k_val.jsonl": ("translate", "translate", 1014, 0),
    "preference/dpo_sharegpt.jsonl": ("preference", "chat", 240, 0),
    # Two dialogues end with no answer.
    "preference/hh_harmless.jsonl": ("preference", "chat", 1476, 2),
    "preference/kto_messages.jsonl": ("thumbs", "chat", 300, 0),
    "preference/rasbt_preference.jsonl": ("preference", "chat", 945, 0),
    "classification/imdb_test.jsonl": ("classify", "classify", 1998, 0),
    "classification/imdb_train.jsonl": ("classify", "classify", 3997, 0),
    "classification/rte_dev.jsonl": ("classify", "classify", 1767, 0),
    "classification/sst2_dev.jsonl": ("classify", "classify", 872, 0),
    "classification/sst2_train.jsonl": ("classify", "classify", 6920, 0),
    "classification/sst5_dev.jsonl": ("classify", "classify", 1101, 0),
    "classification/sst5_train.jsonl": ("classify", "classify", 8544, 0),
    "classification/trec_train.jsonl": ("classify", "classify", 5452, 0),
    "classification/uci_sentences_train.jsonl": ("classify", "classify", 2100, 0),
    "reasoning/gsm8k_test.jsonl": ("completion", "write", 0, 0),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_shape_of_public_sets_is_guessed(shared_data: Path, name: str) -> None:
    if not (shared_data / name).exists():
        pytest.skip(f"{name} is not there")
    shape, task, rows, problems = PUBLIC[name]
    loaded = load(str(shared_data / name), task="")
    assert (loaded.shape, guess_task(loaded)) == (shape, task)
    assert loaded.said[0].startswith(f"shape = {shape}")
    assert not rows or (len(loaded.examples), len(loaded.problems)) == (rows, problems)
    if shape == "squad":
        for example in loaded.examples:
            context, _, question = example.text.rpartition("\n\n")
            assert question
            assert all(context.startswith(*pair) for pair in zip(example.answers, example.meta["starts"], strict=True))
    if shape == "tag":
        assert all(len(one.answers) == len(one.meta["words"]) for one in loaded.examples)


def rows(folder: Path, *values: dict[str, Any], **asked: Any) -> Loaded:
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in values))
    return load("a.jsonl", root=folder, **asked)


COMPLETION = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(8)]


def test_the_default_is_to_classify(tmp_path: Path) -> None:
    loaded = rows(tmp_path, {"text": "a", "label": "x"}, {"text": "b", "label": "y"})
    assert (loaded.shape, loaded.said[0]) == ("classify", "label = column 'label' (2 values)")
    with pytest.raises(UserError, match="no column holds a label"):
        rows(tmp_path, {"text": "a"})


def test_few_answers_that_come_back_are_labels(tmp_path: Path) -> None:
    labels = [{**row, "completion": "ab"[n % 2]} for n, row in enumerate(COMPLETION)]
    assert rows(tmp_path, *COMPLETION, task="").shape == "completion"
    assert rows(tmp_path, *labels, task="").shape == "classify"
    named = rows(tmp_path, *labels, task="", shape="completion")
    assert (named.shape, guess_task(named), named.examples[0].text) == ("completion", "classify", "question 0")


def test_a_task_bounds_the_shapes(tmp_path: Path) -> None:
    labels = [{**row, "completion": "ab"[n % 2]} for n, row in enumerate(COMPLETION)]
    assert rows(tmp_path, *labels, task="write").shape == "completion"
    assert rows(tmp_path, *labels, task="classify").shape == "classify"
    assert rows(tmp_path, {"text": "a text", "n": 1}, task="write").shape == "plain"
    with pytest.raises(UserError, match="no shape for translate fits the columns: a"):
        rows(tmp_path, {"a": "b"}, task="translate")
    with pytest.raises(UserError, match="no column holds the words"):
        rows(tmp_path, {"text": "b"}, task="tag")


def test_a_rival_is_said(tmp_path: Path) -> None:
    loaded = rows(tmp_path, {"instruction": "a", "output": "b"}, task="")
    assert loaded.said[0] == "shape = instruct; it could also be completion: data.shape=completion"


def test_given_columns_win(tmp_path: Path) -> None:
    loaded = rows(tmp_path, {"a": "b", "c": "d"}, task="write", shape="completion", columns=Columns("a", "c"))
    assert (loaded.examples[0].text, loaded.examples[0].answers) == ("b", ("d",))
    assert loaded.columns == Columns("a", "c")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"task": "clasify"}, "did you mean 'classify'?"),
        ({"shape": "chta"}, "did you mean 'chat'?"),
        ({"task": ""}, "data.shape"),
    ],
)
def test_what_is_unknown_is_a_users_mistake(tmp_path: Path, asked: dict[str, str], hint: str) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path, {"number": 1}, **asked)
    assert hint in caught.value.hint
