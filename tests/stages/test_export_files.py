"""Every file of an exported app parses, holds to what it promises, and agrees with the others."""

import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.config import build
from dragoman.serve.limits import Limits
from dragoman.stages.export_files import DRAIN, GRACE, App, memory_of, versions_of, write_files
from dragoman.stages.serve import Settings

APP = App(
    name="notes",
    title="Notes of ours",
    run="lora-4f21c09a1b",
    said="judged: met",
    version="0.1.0",
    python="3.11",
    port=8000,
    extras=("serve", "encoder"),
    request=1024,
    limit=2048,
    memory="measured",
    smoke={"run": "lora-4f21c09a1b", "path": "/v1/classify", "body": {"input": "a"}, "lineage": {}},
)


def written(folder: Path, app: App = APP) -> dict[str, str]:
    """The text of every file, by name."""
    folder.mkdir()
    write_files(folder, app)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def words_of(dockerfile: str, instruction: str) -> list[list[str]]:
    """The arguments of an instruction in its form of a list."""
    joined = dockerfile.replace("\\\n", " ")
    return [json.loads(line.split("]")[0].split("[", 1)[1].join("[]")) for line in joined.splitlines()
            if line.strip().startswith(instruction + " ")]  # fmt: skip


def test_the_settings_are_those_of_serve(tmp_path: Path) -> None:
    table = tomllib.loads(written(tmp_path / "app")["serve.toml"])
    said = build(Settings, table)
    assert (said.run, said.port, said.keys, said.keep.on) == (APP.run, 8000, "", True)


def test_the_container_runs_as_nobody_and_knows_no_secret(tmp_path: Path) -> None:
    files = written(tmp_path / "app")
    text = files["Dockerfile"]
    lines = text.replace("\\\n", " ").splitlines()
    known = (
        "ARG",
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "ENV",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    )
    assert {line.split()[0] for line in lines if line and not line.startswith("#")} == set(known)
    assert "USER 10001:10001" in lines
    assert 'RUN pip install --no-cache-dir --constraint constraints.txt "dragoman[serve,encoder]==0.1.0"' in lines
    assert words_of(text, "ENTRYPOINT") == [["dragoman", "serve"]]
    assert "/readyz" in next(line for line in lines if line.startswith("HEALTHCHECK"))
    [given] = words_of(text, "CMD")
    assert build(Settings, dict(word.split("=", 1) for word in given[1:])).keys == "env:DRAGOMAN_KEYS"
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    allowed = {line[1:] for line in files[".dockerignore"].splitlines() if line.startswith("!")}
    assert copied == allowed
    assert "*" in files[".dockerignore"].splitlines()


def test_a_wheel_of_ones_own_is_installed(tmp_path: Path) -> None:
    files = written(tmp_path / "app", replace(APP, wheel="dragoman-0.1.0-py3-none-any.whl"))
    assert '"dragoman[serve,encoder] @ file:///app/wheels/dragoman-0.1.0-py3-none-any.whl"' in files["Dockerfile"]
    assert "!wheels" in files[".dockerignore"].splitlines()


def test_compose_offers_vllm_for_what_writes(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    plain = yaml.safe_load(written(tmp_path / "plain")["compose.yaml"])
    assert set(plain["services"]) == {"app"}
    told = yaml.safe_load(written(tmp_path / "app", replace(APP, vllm=True))["compose.yaml"])
    app, beside, engine = (told["services"][name] for name in ("app", "app-vllm", "vllm"))
    assert app["read_only"] is True
    assert app["ports"] == ["127.0.0.1:8000:8000"]
    assert app["mem_limit"] == "2048m"
    assert int(app["stop_grace_period"].rstrip("s")) > Limits().drain_seconds + 2
    assert app["environment"]["DRAGOMAN_KEYS"].startswith("${DRAGOMAN_KEYS:?")
    assert engine["profiles"] == beside["profiles"] == ["vllm"]
    assert engine["volumes"] == [f"./runs/{APP.run}/model:/model:ro"]
    served = engine["command"][engine["command"].index("--served-model-name") + 1]
    assert beside["command"][0] == f"openai:http://vllm:8000/v1#{served}"
    assert {volume.split(":")[0] for one in (app, beside) for volume in one["volumes"]} == set(told["volumes"])
    for one in (app, beside):
        given = dict(word.split("=", 1) for word in one["command"][1:])
        assert build(Settings, given).keys == "env:DRAGOMAN_KEYS"


def test_kubernetes_probes_what_the_server_has(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    claim, deployment, service = yaml.safe_load_all(written(tmp_path / "app")["k8s.yaml"])
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["resources"]["limits"]["memory"] == "2048Mi"
    assert container["resources"]["requests"]["memory"] == "1024Mi"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "notes-keys", "key": "keys"}
    assert pod["terminationGracePeriodSeconds"] == GRACE > Limits().drain_seconds + 2
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert Limits().drain_seconds == DRAIN


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = written(tmp_path / "app")["notes.service"]
    said = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert said["DynamicUser"] == said["NoNewPrivileges"] == "yes"
    assert (said["ProtectSystem"], said["Restart"], said["KillSignal"]) == ("strict", "on-failure", "SIGTERM")
    assert said["MemoryMax"] == "2048M"
    assert int(said["TimeoutStopSec"]) > Limits().drain_seconds + 2
    analyse = shutil.which("systemd-analyze")
    if not analyse:
        return
    unit = tmp_path / "notes.service"
    unit.write_text(text.replace("/srv/notes/venv/bin/dragoman", "/bin/true"))
    told = subprocess.run([analyse, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert not [line for line in told.stderr.splitlines() if "notes.service" in line], told.stderr
    safe = [
        analyse,
        "security",
        "--offline=true",
        "--threshold=20",
        str(unit),
    ]  # of 100: what systemd calls OK is 20-50
    graded = subprocess.run(safe, capture_output=True, text=True, check=False)
    assert graded.returncode == 0, graded.stdout[-500:]


def test_a_space_has_its_own_port_and_user(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    files = written(tmp_path / "app")
    front = yaml.safe_load(files["spaces/README.md"].split("---")[1])
    assert (front["sdk"], front["app_port"]) == ("docker", 7860)
    text = files["spaces/Dockerfile"]
    assert "USER 1000:1000" in text
    [command] = words_of(text, "ENTRYPOINT")
    assert {"port=7860", "keys=env:DRAGOMAN_KEYS", 'hosts="${SPACE_HOST:-localhost}"'} <= set(command[2].split())


def test_versions_are_exact_and_of_any_build() -> None:
    lines = versions_of(("serve",)).splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.!]+", line) for line in lines)
    names = {line.split("==")[0] for line in lines}
    assert {"torch", "pydantic", "pydantic-core", "fastapi", "starlette", "uvicorn"} <= names
    assert not {"dragoman", "mypy", "pytest"} & names
    assert "fastapi" not in versions_of(())


def test_memory_is_what_was_measured_and_room() -> None:
    assert memory_of(900.0, 10.0)[:2] == (1024, 2048)
    request, limit, why = memory_of(0.0, 500.0)
    assert (request, limit) == (1280, 2560)
    assert why.startswith("guessed from 500 MB")
