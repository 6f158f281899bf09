"""Every mistake in the words of a command gets one message with what mends it and exit code 2, before any work."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.core import durable
from dragoman.core.runs import all_runs
from tests.command import ROOT, dragoman, ended, spawn
from tests.stories.test_bad_data import refused
from tests.tiny import write_model

SETTINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a verb": (("runn",), ("no verb 'runn'", "did you mean 'run'?", "dragoman --help")),
    "a section": (("run", "scop.name=x"), ("scop.name", "did you mean 'scope'?")),
    "a setting": (("run", "data.sorce=x"), ("'data.sorce'", "did you mean 'source'?")),
    "an option": (("run", "--al"), ("--al", "did you mean 'all'?")),
    "a word too many": (("run", ".", "there"), ("'there'", "dragoman run --help")),
    "a setting of another verb": (("serve", "data.rows=3"), ("data.rows", "dragoman serve --help")),
    "a rung": (("run", 'ladder.rungs=["lra"]'), ("no rung named 'lra'", "did you mean 'lora'?")),
    "a rung twice": (("run", 'ladder.rungs=["head", "head"]'), ("'head' twice",)),
    "no rung": (("run", "ladder.rungs=[]"), ("ladder.rungs is empty", 'ladder.rungs=["head"]')),
    "a tuning": (("train", "tuning=lra"), ("no tuning named 'lra'", "did you mean 'lora'?")),
    "a tuning's setting": (("train", "tuning=lora", "tuning.rnak=3"), ("tuning.rnak", "did you mean 'rank'?")),
    "an objective": (("train", "objective=clasify"), ("no objective named 'clasify'", "did you mean 'classify'?")),
    "a setting of the loop": (("run", "train.rat=1"), ("train.rat", "did you mean 'rate'?")),
    "a value out of range": (("run", "train.rate=-1"), ("train.rate cannot be -1.0", "0 or more")),
    "a value that is no number": (("run", "data.rows=many"), ("data.rows cannot be 'many'", "integer")),
    "shares that do not sum": (("run", "data.split=[0.5, 0.5, 0.5]"), ("data.split", "sum to 1")),
    "a target on an unknown metric": (
        ("run", 'scope.target.acuracy=">= 0.5"'),
        ("'acuracy'", "did you mean 'accuracy'?"),
    ),
    "a limit on an unknown metric": (("run", 'scope.limits.p59_ms="<= 5"'), ("'p59_ms'", "p50_ms")),
    "a target that is no comparison": (("run", "scope.target.accuracy=good"), ('"good"', 'accuracy = ">= 0.80"')),
    "a budget that is no amount": (("run", "scope.budget.memory=lots"), ('"lots"', 'scope.budget.memory="8 GiB"')),
    "a model that is not there": (("run", 'models.candidates=["nothing"]'), ("no model", "models.candidates")),
    "a built-in model": (("run", 'models.candidates=["builtin:minlm"]'), ("minlm", "did you mean 'minilm'?")),
    "a project that is not there": (("run", "nowhere"), ("nowhere", "dragoman.toml")),
    "a report before there is one": (("report",), ("no verdict yet", "dragoman run")),
    "a judgement before there is a rung": (("judge",), ("no verdict yet", "dragoman run")),
    "a server before there is a rung": (("serve",), ("no verdict yet", "dragoman run")),
    "an evaluation of nothing": (("evaluate", "lora", "data=rows.jsonl"), ("no lora", "dragoman run --all")),
    "a run that is not there": (("runs", "full-123"), ("no run 'full-123'", "dragoman run")),
}


@pytest.mark.parametrize("mistake", SETTINGS)
def test_a_mistake_in_the_words(mistake: str, tiny_project: Path) -> None:
    words, said = SETTINGS[mistake]
    message = refused(dragoman(*words, "--json"))
    for part in said:
        assert part in message
    assert not list(tiny_project.glob("runs/*/model"))


def test_mistakes_are_answered_without_torch(tiny_project: Path) -> None:
    code = "import sys; from dragoman.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    for words in (("runn",), ("run", "data.sorce=x"), ("train", "tuning=lra"), ("run", "train.rat=1"), ("serve",)):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=tiny_project, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[scope\n", "not valid TOML"),
        (b'[scope]\nname = "a"\nname = "b"\n', "line 3"),
        (b"\xff\xfe[scope]", "not UTF-8"),
        (b'[scope]\nname = "a"\n', "does not say where the data is"),
        (b'[scope]\nnam = "a"\n[data]\nsource = "rows.jsonl"\n', "did you mean 'name'?"),
        (b'[scope]\ntask = "clasify"\n[data]\nsource = "rows.jsonl"\n', "scope.task cannot be 'clasify'"),
    ],
)
def test_a_project_file_that_cannot_be_read(content: bytes, said: str, tiny_project: Path) -> None:
    (tiny_project / "dragoman.toml").write_bytes(content)
    assert said in refused(dragoman("run", "--json"))


def test_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    message = refused(dragoman("run", "--json", folder=tmp_path))
    assert "dragoman new" in message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scope.budget.time=0.001 s",), "scope.budget.time="),
        (("scope.budget.memory=1 MiB",), "scope.budget.memory="),
    ],
)
def test_a_budget_too_small_for_any_rung(words: tuple[str, ...], said: str, tiny_project: Path) -> None:
    message = refused(dragoman("run", "--json", *words))
    assert "too small for any rung" in message
    assert "needs about" in message
    assert said in message


def test_a_model_with_pickled_weights(tiny_project: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = refused(dragoman("run", "--json", f"models.candidates=['{folder}']"))
    assert "pytorch_model.bin" in message
    assert "pickled" in message
    assert "save_pretrained" in message


def test_a_model_that_asks_for_code_to_be_run(tiny_project: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "remote")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "code.Model"}}))
    message = refused(dragoman("run", "--json", f"models.candidates=['{folder}']"))
    assert "code" in message


def test_a_folder_in_use(tiny_project: Path) -> None:
    assert dragoman("prepare").code == 0
    run = next(one for one in all_runs(tiny_project / "runs") if one.verb == "prepare")
    record = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps({**record, "status": "started"}))
    with durable.lock(run.folder):
        message = refused(dragoman("run", "--json"))
    assert f"process {os.getpid()}" in message
    assert "wait for it to end" in message


def test_the_disk_is_full_and_the_same_command_goes_on(tiny_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert dragoman("prepare").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        message = refused(dragoman("run", "--json"))
    assert "no space left" in message
    assert "same command" in message
    assert dragoman("run", "--json").code == 0


def test_a_file_may_grow_no_larger_and_the_same_command_goes_on(tiny_project: Path) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, resource.RLIM_INFINITY)); "
        "from dragoman.cli import main; sys.exit(main(['run', '--json']))"
    )
    said = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tiny_project, env=said, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "same command" in json.loads(done.stdout.splitlines()[-1])["error"]["hint"]
    assert dragoman("run", "--json").code == 0


def test_serve_on_a_taken_port(judged: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        message = refused(dragoman("serve", "full", f"port={taken.getsockname()[1]}", "--json"))
    assert "port" in message


def test_serve_to_others_without_a_key(judged: Path) -> None:
    message = refused(dragoman("serve", "full", "host=0.0.0.0", "--json"))
    assert "key" in message
    assert "dragoman serve --new-key" in message


def test_a_damaged_model_of_a_finished_rung(judged: Path) -> None:
    run = next(one for one in all_runs(judged / "runs") if one.verb == "lora")
    weights = run.folder / "model" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-5] ^= 1
    weights.write_bytes(raw)
    for words in (("serve", "lora"), ("evaluate", "lora", "data=rows.jsonl"), ("judge", "lora")):
        message = refused(dragoman(*words, "--json"))
        assert "does not match its checksum" in message
        assert "dragoman run" in message
    doctor = dragoman("doctor", "--json")
    assert doctor.code == 1
    assert any("model.safetensors" in text for text in doctor.json["damage"])
    again = dragoman("run", "--all", "--json")
    assert again.code == 0
    assert again.json["rung"] == "lora"
    assert dragoman("doctor", "--json").code == 0
    assert list((judged / "runs").glob("lora-*.damaged-1"))


def test_ctrl_c_is_one_sentence(tiny_project: Path) -> None:
    with spawn("run", folder=tiny_project) as running:
        assert running.stderr is not None
        said = ""
        for text in running.stderr:
            said += text
            if "check:" in text:
                running.send_signal(signal.SIGINT)
                break
        said += ended(running, 60)[1]
        assert running.returncode == 130
    assert "Traceback" not in said
    assert said.count("dragoman: ") == 1
    assert dragoman("run", "--json").code == 0
