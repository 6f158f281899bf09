"""What is published of a run, what never is, and what is said where the hub refuses."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.stages.model_card import pathless
from dragoman.stages.push import files_of
from tests.command import dragoman
from tests.fake_hub import TOKEN, Hub, hub_running, used
from tests.nn.tiny import classifier_folder
from tests.nn.tiny_lm import folder_of
from tests.report.sample import record
from tests.report.sample_training import pretraining

# The library hands a file to httpx as `data`, which warns.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

BASE = "/srv/someone/secret place/model"
ROW = "a sealed sentence nobody may read"


@pytest.fixture
def runs(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs for one test, which stands beside them."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made_once, tmp_path / "runs"))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a project: a tuned model with an adapter, its verdict, a rung without weights."""
    folder = tmp_path_factory.mktemp("push")
    root = folder / "runs"
    model = classifier_folder("bert", folder / "made")
    card = {"kind": "classifier", "labels": ["a", "b"], "multi_label": False, "max_length": 32, "tuning": "lora"}
    card |= {"base": BASE, "examples": [ROW]}
    made = Run.begin(root, "lora", {"seed": 0}, {BASE: "f" * 64, "parts": "prepare-0"})

    def fill(stage: Path) -> None:
        for file in model.iterdir():
            (stage / file.name).write_bytes(file.read_bytes())
        config = json.loads((stage / "config.json").read_text())
        (stage / "config.json").write_text(json.dumps({**config, "_name_or_path": BASE}))
        (stage / "dragoman.json").write_text(json.dumps(card))
        (stage / "examples.json").write_text(json.dumps([ROW]))
        (stage / "optimizer.bin").write_bytes(b"state")

    def beside(stage: Path) -> None:
        (stage / "adapter_model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
        told = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": BASE}
        (stage / "adapter_config.json").write_text(json.dumps(told))

    durable.publish(made.folder / "model", fill)
    durable.publish(made.folder / "adapter", beside)
    project = {"scope": {"name": "notes | of <ours>", "objective": "Tell a from b.", "task": "classify",
                         "labels": {"a": "the first", "b": "the second"}},
               "data": {"source": "/srv/someone/rows.jsonl"}}  # fmt: skip
    made = made.finish({"base": BASE, "project": project, "learnt": 10, "weights": 100}, ("model", "adapter"))
    Run.begin(root, "run", {}, {"rung": made}).finish({**record(), "rung_run": made.id, "samples": [{"text": ROW}]})
    bare = Run.begin(root, "zero_shot", {}, {})
    durable.publish(bare.folder / "model", lambda stage: (stage / "dragoman.json").write_text("{}") and None)
    bare.finish({}, ("model",))
    return root


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_running() as running:
        used(running, tmp_path / "cache", monkeypatch)
        yield running


def nothing_private(files: dict[str, bytes]) -> None:
    """No row, no path of this machine, no journal."""
    assert not {"examples.json", "optimizer.bin", "manifest.json", "run.json"} & files.keys()
    for name, content in files.items():
        for never in (BASE, "/srv/", ROW, TOKEN):
            assert never.encode() not in content, (name, never)


def test_a_folder_holds_the_model_and_its_card(runs: Path, tmp_path: Path) -> None:
    told = dragoman("push", "lora", "to=./out", "license=apache-2.0", "--json")
    assert told.code == 0, told.whole
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name != "manifest.json"}
    assert {name: len(content) for name, content in files.items()} == told.json["files"]
    nothing_private(files)
    kept = json.loads(files["dragoman.json"])
    assert kept == {"kind": "classifier", "labels": ["a", "b"], "multi_label": False, "max_length": 32} | {
        "tuning": "lora",
        "base": "",
    }
    card = ModelCard(files["README.md"].decode())
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "transformers")
    assert card.data.pipeline_tag == "text-classification"
    results = {one.metric_type: one for one in card.data.eval_results}
    sample = record()["metrics"]["accuracy"]
    assert results["accuracy"].metric_value == sample["value"]
    assert results["accuracy"].metric_args["low"] == sample["low"]
    assert results["accuracy"].dataset_name == "rows.jsonl"
    assert results["accuracy"].dataset_split == "sealed test"
    for part in ("Tell a from b.", "the first", record()["headline"], "Base against tuned", "What the training cost",
                 "Limits", 'pipeline("text-classification", model="out")', "dragoman serve lora-"):  # fmt: skip
        assert part in card.text, part
    assert "# notes \\| of &lt;ours>" in card.text
    again = dragoman("push", "lora", "to=./out", "--json")
    assert again.code == 0
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    refused = dragoman("push", "lora", "to=./out")
    assert refused.code == 2
    assert "thesis.txt" in refused.whole


def test_dry_sends_nothing_and_shows_everything(runs: Path, hub: Hub) -> None:
    told = dragoman("push", "to=owner/notes", "--dry", "--json")
    assert told.code == 0, told.whole
    assert told.json["files"]["model.safetensors"] > 1000
    assert "README.md" in told.json["files"]
    assert told.json["card"].startswith("---\n")
    assert "examples.json" in dragoman("push", "to=owner/notes", "--dry").whole
    assert hub.calls == []


def test_the_hub_gets_it_in_one_private_commit(runs: Path, hub: Hub) -> None:
    told = dragoman("push", "lora", "to=owner/notes", "--json")
    assert told.code == 0, told.whole
    assert told.json["address"] == f"{hub.url}/owner/notes"
    assert hub.private == {"owner/notes": True}
    assert {name: len(content) for name, content in hub.repos["owner/notes"].items()} == told.json["files"]
    nothing_private(hub.repos["owner/notes"])
    assert len(hub.asked("/commit/")) == 1
    assert TOKEN not in told.whole
    hub.private["owner/notes"] = False
    refused = dragoman("push", "lora", "to=owner/notes")
    assert refused.code == 2
    assert "public already" in refused.whole
    assert dragoman("push", "lora", "to=owner/notes", "public=true", "adapter=true").code == 0
    assert json.loads(hub.repos["owner/notes"]["adapter_config.json"])["base_model_name_or_path"] == ""
    assert b"PeftModel.from_pretrained" in hub.repos["owner/notes"]["README.md"]


@pytest.mark.parametrize(
    ("status", "said"), [(0, "token is not valid"), (403, "may not do that"), (500, "the hub answered 500")]
)
def test_a_hub_that_refuses_is_one_message(
    runs: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    wrong = "hf_" + "w" * 34
    monkeypatch.setenv("HF_TOKEN", TOKEN if status else wrong)
    hub.refuse = status
    told = dragoman("push", "lora", "to=owner/notes", "--json")
    assert told.code == 2
    assert said in told.whole
    assert "could not be published" in told.whole
    assert wrong not in told.whole
    assert hub.repos == {}


def test_nobody_logged_in_and_nobody_there(runs: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    told = dragoman("push", "lora", "to=owner/notes")
    assert told.code == 2
    assert "nobody is logged in" in told.whole
    assert "HF_TOKEN" in told.whole
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = dragoman("push", "lora", "to=owner/notes")
    assert told.code == 2
    assert "http://127.0.0.1:9 is not reached" in told.whole
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lora",), "not said where"),
        (("lora", "to=hf:notes"), "not a name on the Hugging Face hub"),
        (("zero_shot", "to=./out"), "no weights of its own"),
        (("lora", "to=runs/model"), "a repository on the hub or a folder here"),
        (("nothing", "to=./out"), "no run 'nothing'"),
        (("lora", "too=./out"), "too"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(runs: Path, words: tuple[str, ...], said: str) -> None:
    told = dragoman("push", *words)
    assert told.code == 2
    assert said in told.whole


def test_a_damaged_model_is_not_published(runs: Path) -> None:
    [file] = runs.glob("lora-*/model/model.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    told = dragoman("push", "lora", "to=./out")
    assert told.code == 2
    assert "does not match its checksum" in told.whole


def test_a_model_that_nobody_judged_says_so(runs: Path) -> None:
    for verdict in runs.glob("run-*/run.json"):
        verdict.unlink()
    card = dragoman("push", "lora", "to=./out", "--dry", "--json").json["card"]
    assert "has not been measured" in card
    assert "model-index" not in card


def test_a_language_model_has_a_card_of_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sample = pretraining()
    made = Run.begin(tmp_path / "runs", "pretrain", {"source": "/srv/someone/texts"}, {"corpus": "c" * 64})
    durable.publish(made.folder / "model", lambda stage: folder_of("llama", stage) and None)
    made.finish({"record": sample}, ("model",))
    told = dragoman("push", "pretrain", "to=./out", "runs=runs", "--json")
    assert told.code == 0, told.whole
    card = ModelCard((tmp_path / "out" / "README.md").read_text())
    assert card.data.pipeline_tag == "text-generation"
    assert next(one.dataset_name for one in card.data.eval_results) == "texts"
    for part in ("Measured on held-out text", "dragoman generate hf:out", "parameters"):
        assert part in card.text, part
    assert "/srv/" not in card.content


def test_public_names_stay_in_the_files(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"_name_or_path": "owner/base", "chat_template": "/{{ x }}", "cache": "/srv/own/x"}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    (tmp_path / "dragoman.json").write_text(json.dumps({"base": "hf:owner/base"}))
    (tmp_path / "training_args.bin").write_bytes(b"")
    files = files_of(tmp_path, "owner/base")
    assert sorted(files) == ["config.json", "dragoman.json"]
    assert isinstance(files["config.json"], bytes)
    assert json.loads(files["config.json"]) == {"_name_or_path": "owner/base", "chat_template": "/{{ x }}"}
    assert files["dragoman.json"] == tmp_path / "dragoman.json"


def test_an_odd_name_is_no_name() -> None:
    with pytest.raises(UserError, match="not a name"):
        from dragoman.stages.push import _place

        _place("hf:a/b/c")


def test_paths_in_lists_and_texts_do_not_go(tmp_path: Path) -> None:
    model = tmp_path / "owner" / "base"
    settings: dict[str, Any] = {
        "_name_or_path": "owner/base",
        "inner": {"files": ["/srv/own/x.json", "vocab.json", {"at": "~/x/y z"}]},
        "note": "read from /srv/own/secret/rows.jsonl, thrice",
        "extra_special_tokens": ["</s>", "<|/a|>"],
    }
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(settings))
    files = files_of(model, "")
    assert isinstance(files["config.json"], bytes)
    assert json.loads(files["config.json"]) == {
        "_name_or_path": "",
        "inner": {"files": ["vocab.json", {}]},
        "note": "read from rows.jsonl, thrice",
        "extra_special_tokens": ["</s>", "<|/a|>"],
    }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Tune base on data/alice/secret/client.jsonl, and be better.", "Tune base on client.jsonl, and be better."),
        ("Tune /srv/alice/base/ on ../secret/rows.csv.", "Tune base on rows.csv."),
        (r"of D:\data\alice\rows and \\server\share\x", "of rows and x"),
        ("data=/srv/a/b (file:///srv/a/c)", "data=b (c)"),
        ("either/or, 1/2/3, hf:owner/name.json, https://a.b/c/d.json </s>", None),
    ],
)
def test_a_text_keeps_the_last_name_of_a_path(text: str, left: str | None) -> None:
    assert pathless(text) == (text if left is None else left)


def test_a_tuning_is_what_it_was_measured_by(runs: Path) -> None:
    for verdict in runs.glob("run-*/run.json"):
        verdict.unlink()
    [made] = [Run.open(path) for path in runs.glob("lora-*")]
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
    paired = {"metric": "rougel", "before": figure, "after": figure, "difference": figure, "outcome": "better"}
    told = {"metrics": {"rougel": figure}, "paired": [paired], "test": {"rows": 40, "openings": 1}}
    headline = "rougel is better on /srv/someone/rows.jsonl"
    Run.begin(runs, "tune", {}, {}).finish({**told, "headline": headline, "rung_run": made.id})
    card = dragoman("push", "lora", "to=./out", "--dry", "--json").json["card"]
    assert "On the sealed test, 40 rows, which was opened once." in card
    assert "| rougel | 0.500 [0.400, 0.600] | 0.500 [0.400, 0.600] | +0.500 [+0.400, +0.600]: better |" in card
    assert "rougel is better on rows.jsonl" in card
    assert "has not been measured" not in card
    assert "/srv/" not in card
