"""`dragoman sweep` on a corpus and on a project: killed, it goes on; it proves its winner and says how to train so."""

import json
import shlex
import shutil
import signal
import time
from pathlib import Path

import pytest

from dragoman.core.runs import Run, all_runs
from dragoman.data.seal import openings
from tests.command import Said, dragoman, ended, spawn

TEXT = "the cat sat on the mat and the dog ran to the man who had a red hat\n\n"
RATE = "over.train.rate=1e-4..3e-2 log"
SMALL = (
    "corpus=corpus",
    "size=40k",
    "train.batch=4",
    "train.max_length=16",
    "train.steps=27",
    "trials=4",
    "seeds=2",
    "least=0.3",
)
SMALL += ("train.device=cpu", "train.precision=fp32")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny corpus of characters in it."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "text.txt").write_text("".join(f"{place} {TEXT}" for place in range(60)), encoding="utf-8")
    words = ("out=corpus", "tokenizer=characters", "held_out=0.1", "doubles=false", "workers=1", "split=paragraph")
    done = dragoman("corpus", "text.txt", *words, "quality.preset=none", folder=folder)
    assert done.code == 0, done
    return folder


@pytest.fixture(scope="module")
def whole(corpus: Path) -> Said:
    """A sweep that nothing befell."""
    done = dragoman("sweep", *SMALL, RATE, "range_test=true", "range_steps=40", "runs=whole", "--json", folder=corpus)
    assert done.code == 0, done
    return done


def trials(folder: Path) -> list[dict[str, object]]:
    """What the record says of each trial but how long it took."""
    record = all_runs(folder)[-1].results["record"]
    return [{**one, "seconds": 0.0} for one in record["trials"]]


def test_the_winner_is_proven_on_fresh_seeds(corpus: Path, whole: Said) -> None:
    said = json.loads(whole.out)
    record = Run.open(corpus / "whole" / said["run"]).results["record"]
    again = said["best"]["again"]
    assert again["n"] == 2
    assert again["low"] <= again["value"] <= again["high"]
    assert again["value"] == pytest.approx(sum(said["best"]["values"]) / 2)
    assert len(set(said["best"]["values"])) == 2  # two seeds, two figures
    assert said["best"]["value"] == min(one["value"] for one in record["trials"] if one["state"] == "complete")
    assert {one["state"] for one in record["trials"]} == {"complete", "pruned"}
    assert record["headline"].startswith("train.rate=")
    assert f"{again['value']:.3f}" in record["headline"]
    assert 1e-6 < said["range_test"]["chosen"] < 1


def test_the_page_shows_trials_and_range_test(corpus: Path, whole: Said) -> None:
    page = (corpus / "whole" / json.loads(whole.out)["run"] / "report.html").read_text(encoding="utf-8")
    assert "Trials" in page
    assert "Learning-rate range test" in page
    assert "train.rate" in page
    assert "stopped early" in page


def test_the_same_command_finds_it_again(corpus: Path, whole: Said) -> None:
    again = dragoman("sweep", *SMALL, RATE, "range_test=true", "range_steps=40", "runs=whole", folder=corpus)
    assert again.code == 0, again
    assert json.loads(whole.out)["run"] in again.out
    assert "fresh seeds" in again.out


def test_the_command_it_says_trains_with_the_best_settings(corpus: Path, whole: Said) -> None:
    said = json.loads(whole.out)
    words = shlex.split(said["commands"][0])
    assert words[:2] == ["dragoman", "train"]
    assert f"train.rate={said['best']['settings']['train.rate']}" in words
    done = dragoman(*words[1:], "runs=trained", folder=corpus)
    assert done.code == 0, done
    trained = all_runs(corpus / "trained")[-1].results
    assert trained["steps"] == 27
    assert trained["history"][-1]["validation"] == pytest.approx(said["best"]["value"], rel=1e-6)  # the seed of trials


def test_a_killed_sweep_goes_on_and_ends_the_same(corpus: Path, whole: Said) -> None:
    root = corpus / "killed"
    words = ("sweep", *SMALL, RATE, "range_test=true", "range_steps=40", "runs=killed", "--json")
    for number, how in ((1, signal.SIGKILL), (2, signal.SIGINT)):
        running = spawn(*words, folder=corpus)
        while running.poll() is None and not list(root.glob(f"sweep-*/trials/000{number}/training")):
            time.sleep(0.01)
        running.send_signal(how)
        ended(running, 60)
        assert running.returncode == (130 if how == signal.SIGINT else -how)
        assert not all_runs(root)[-1].finished
    done = dragoman(*words, folder=corpus)
    assert done.code == 0, done
    assert trials(root) == trials(corpus / "whole")
    assert json.loads(done.out)["best"] == json.loads(whole.out)["best"]


def test_a_range_test_alone_says_a_rate(corpus: Path) -> None:
    done = dragoman("sweep", *SMALL, "range_test=true", "range_steps=40", "runs=range", "--json", folder=corpus)
    assert done.code == 0, done
    said = json.loads(done.out)
    assert said["best"] is None
    assert any(word.startswith("train.rate=") for word in shlex.split(said["commands"][0]))


def test_a_project_is_swept_on_validation_alone(tiny_project: Path) -> None:
    words = ("over.tuning=head,full", "method=grid", "seeds=2", "train.epochs=2", "train.precision=fp32")
    done = dragoman("sweep", *words, "--json", folder=tiny_project)
    assert done.code == 0, done
    said = json.loads(done.out)
    assert said["best"]["settings"]["tuning"] in ("head", "full")
    assert said["best"]["again"]["n"] == 2
    assert sum(len(openings(one / "sealed")) for one in (tiny_project / "runs").glob("prepare-*")) == 0
    assert f"tuning={said['best']['settings']['tuning']}" in said["commands"][0]


def test_what_can_change_a_figure_makes_another_sweep(tiny_project: Path, tiny_model: Path) -> None:
    words = ("range_test=true", "range_steps=20", "train.precision=fp32")

    def name() -> str:
        done = dragoman("sweep", *words, "--json", folder=tiny_project)
        assert done.code == 0, done
        return str(json.loads(done.out)["run"])

    model = Path(shutil.copytree(tiny_model, tiny_project / "model"))
    file = tiny_project / "dragoman.toml"
    text = file.read_text(encoding="utf-8").replace(str(tiny_model), str(model))
    file.write_text(text, encoding="utf-8")
    names = [name()]
    assert name() == names[0]
    (model / "more.txt").write_text("under the same name there is another model\n", encoding="utf-8")
    names.append(name())
    file.write_text(text.replace("[train]\n", "[train]\nwarmup = 0.25\n"), encoding="utf-8")
    names.append(name())
    assert len(set(names)) == 3


def test_a_corpus_is_known_by_what_it_holds(corpus: Path, tmp_path: Path) -> None:
    words = ("range_test=true", "range_steps=20", "--json")
    other = Path(shutil.copytree(corpus / "corpus", tmp_path / "copy"))
    facts = json.loads((other / "corpus.json").read_text(encoding="utf-8"))
    (other / "corpus.json").write_text(json.dumps({**facts, "made": "elsewhere"}), encoding="utf-8")
    found = [
        json.loads(dragoman("sweep", f"corpus={folder}", *SMALL[1:], *words, "runs=known", folder=corpus).out)["run"]
        for folder in ("corpus", other)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("corpus=corpus", "size=40k"), "nothing is said to try"),
        (("corpus=nowhere", "size=40k", RATE), "nowhere is no corpus"),
        (("objective=clm", "size=40k", RATE), "is no corpus"),
        (("corpus=corpus", "size=", RATE), "no size is named"),
        (("corpus=corpus", "size=40k", "over.train.rat=1e-4..1e-2"), "no setting named 'train.rat'"),
        (("corpus=corpus", "size=40k", "over.tuning.rank=4,8"), "over.tuning.rank is no setting"),
        (("corpus=corpus", "size=40k", "over.train.schedule=linear,cosin"), "cosin"),
        (("corpus=corpus", "size=40k", RATE, "scope.name=x"), "no setting 'scope'"),
        (("corpus=corpus", "size=40k", RATE, "train.steps=3"), "a trial has 3 steps"),
        (("corpus=corpus", "size=40k", RATE, "seeds=1"), "seeds cannot be 1"),
        (("corpus=corpus", "size=40k", RATE, "eta=1"), "eta cannot be 1"),
        (("corpus=corpus", "size=40k", RATE, "method=asah"), "method cannot be 'asah'"),
        (("corpus=corpus", "size=40k", "range_test=true", "range=0..1"), "range cannot be"),
        (
            ("corpus=corpus", "size=40k", "range_test=true", "range=1..1e-6 log"),
            "dragoman: range cannot be '1..1e-6 log'",
        ),
        (("corpus=corpus", "size=40k", "over.family=qwen3,bert"), "clm needs a decoder, and bert is none"),
        (("corpus=corpus", "size=40k", "family=gpt2", "over.objective=clm,mlm"), "mlm needs an encoder"),
        (("corpus=corpus", "size=40k", "over.objective=clm,mlm", "over.family=gpt2,qwen3"), "mlm needs an encoder"),
        (("corpus=corpus", "size=40k", RATE, "storage=no where"), "no address of a database"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(corpus: Path, words: tuple[str, ...], said: str) -> None:
    root = corpus / "mistakes"
    done = dragoman("sweep", *SMALL[2:5], *words, "runs=mistakes", folder=corpus)
    assert done.code == 2, done
    assert said in done.err
    assert not list(root.glob("sweep-*/trials/0*"))
    shutil.rmtree(root, ignore_errors=True)
