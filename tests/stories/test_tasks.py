"""Every task by its own road: the projects of examples/, and docs/tuning.md walked on a tiny model."""

import json
import re
import shlex
from pathlib import Path

import pytest

from dragoman.core.project import load
from tests.command import ROOT, Said, dragoman
from tests.writers import write_model, write_rows

EXAMPLES = sorted(ROOT.glob("examples/*/dragoman.toml"))
DATA = ROOT.parent / "shared" / "data"
FAST = ("train.device=cpu", "train.precision=fp32", "train.average=0.0")
SMALL = ("ladder.trials=1", "ladder.epochs=1", "ladder.all=true", *FAST)
TUNE = (*FAST, "train.batch=8", "train.epochs=2", "max_tokens=8", "max_length=64")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models that know nothing and rows to learn."""
    folder = tmp_path_factory.mktemp("tasks")
    write_model(folder / "llama")
    write_model(folder / "t5", "t5")
    write_rows(folder / "rows.jsonl", 64)
    return folder


def shared(name: str) -> str:
    """A file of public data, where it is there."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return str(path)


def climbed(name: str, place: Path, *words: str) -> Said:
    """A project of examples/ from scope to verdict, its runs elsewhere."""
    said = dragoman("run", str(ROOT / "examples" / name), f"runs={name}", *SMALL, *words, "--json", folder=place)
    assert said.code in (0, 1), said
    return said


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_every_example_is_a_project_that_says_what_good_enough_means(file: Path) -> None:
    project = load(file, ("data=rows.jsonl",))
    assert project.scope.name == file.parent.name and project.scope.objective and project.scope.audience
    assert project.scope.criteria() and project.ladder.rungs
    page = (file.parent / "README.md").read_text(encoding="utf-8")
    assert "data=" in page and re.search(r"hf:[\w-]+/[\w.-]+", page)
    assert str(ROOT) not in file.read_text(encoding="utf-8") + page


def test_there_is_an_example_of_every_task_but_plain_writing() -> None:
    tasks = {load(file, ("data=rows.jsonl",)).scope.task for file in EXAMPLES}
    assert tasks == {"classify", "tag", "answer", "summarize", "translate", "chat"}


@pytest.mark.slow
def test_summaries_by_an_encoder_decoder(place: Path) -> None:
    data = shared("summarization/dialogsum_test.jsonl")
    candidates = f'models.candidates=["{place / "t5"}"]'
    words = ("data.rows=12", "models.max_length=64", "models.max_tokens=4", 'ladder.rungs=["full"]')
    found = climbed("dialogues", place, f"data={data}", candidates, *words).json
    assert found["rung"] == "full" and {"rougel", "rouge1", "stopped"} <= set(found["metrics"])


@pytest.mark.slow
def test_instructions_by_a_decoder_with_general_texts_replayed(place: Path) -> None:
    words = ("data=rows.jsonl", 'models.candidates=["llama"]', "models.max_length=64", "models.max_tokens=4")
    found = climbed("instructions", place, *words, 'ladder.rungs=["zero_shot", "lora"]').json
    assert {"rougel", "stopped", "forgetting"} <= set(found["metrics"])


@pytest.mark.slow
def test_entities_by_an_encoder_and_the_assistant_asked(place: Path) -> None:
    data = shared("token_classification/wnut17_dev.conll")
    words = (f"data={data}", "data.rows=40", "models.max_length=32", 'ladder.rungs=["zero_shot", "head"]')
    found = climbed("entities", place, *words).json
    assert found["rung"] == "head" and 0 <= found["metrics"]["entity_f1"]["value"] <= 1
    said = dragoman("ask", "head", "Ana flew to Lisbon", "runs=entities", "--json", folder=place)
    assert said.code == 0 and len(said.json["answers"][0]["labels"]) == 4


def test_a_ladder_on_which_an_encoder_cannot_learn_is_refused(place: Path) -> None:
    rows = [{"tokens": ["Ana", "ran", str(number)], "tags": ["B-person", "O", "O"]} for number in range(20)]
    (place / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ("data=tags.jsonl", "runs=none", 'ladder.rungs=["zero_shot", "few_shot"]')
    said = dragoman("run", str(ROOT / "examples" / "entities"), *words, folder=place)
    assert said.code == 2 and "no way to answer before it has learnt" in said.err


def test_a_prompt_that_is_too_long_costs_its_own_answer_alone(place: Path) -> None:
    rows = [{"instruction": f"say cat {number}", "output": "cat"} for number in range(40)]
    for number, row in enumerate(rows[::2]):
        row["instruction"] += "".join(f" {number * 97 + place * place}" for place in range(60))
    (place / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = dragoman("tune", "llama", "long.jsonl", *TUNE, "train.epochs=1", "runs=long", "task=chat", folder=place)
    assert said.code in (0, 1), said
    assert "are more than the model reads, and count as wrong" in said.whole


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("method=bitfit",), "method=lora or method=ia3"),
        (("columns.text=nope",), "columns.text=NAME says which"),
        (("general=nowhere",), "the general texts: there is no file nowhere general=PATH names others"),
        (("prompt={{ nope }} ||| {{ output }}",), "rows that cannot be read are left out where others can be"),
    ],
)
def test_mistakes_are_told_in_the_words_of_tune(place: Path, words: tuple[str, ...], said: str) -> None:
    told = dragoman("tune", "llama", "rows.jsonl", *TUNE, "runs=wrong", *words, folder=place)
    assert told.code == 2 and said in told.whole and "data." not in told.err.replace("data.jsonl", "")


def walked(page: Path) -> list[list[str]]:
    """The words of each command of a page."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.slow
def test_the_guide_is_walked(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tuning.md"
    write_model(tmp_path / "base")
    write_rows(tmp_path / "rows.jsonl", 48)
    project = next(
        block for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.M | re.S) if "[scope]" in block
    )
    project = project.replace("max_tokens = 16", "max_tokens = 8\nmax_length = 64")
    loop = (
        '[ladder]\nrungs = ["zero_shot", "lora"]\ntrials = 1\n[train]\ndevice = "cpu"\nprecision = "fp32"\nepochs = 1\n'
    )
    (tmp_path / "dragoman.toml").write_text(project + loop, encoding="utf-8")
    seen = []
    for words in walked(page):
        small = (*TUNE[:-3], "train.epochs=1", *TUNE[-2:]) if words[1] == "tune" else ()
        told = dragoman(*words[1:], *small, folder=tmp_path)
        assert told.code in (0, 1), (words, told.whole)
        seen.append(words[1])
    assert set(seen) == {"tune", "ask", "report", "sweep", "check", "run", "train", "evaluate"}
