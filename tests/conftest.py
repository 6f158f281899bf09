"""What every test stands on: no network, few threads, and real data where it lies beside the repository."""

import os

# Set before anything imports torch or tokenizers: they read these once. Two workers share two cores (`make test`), and
# the nets of the tests are too small to gain from a second thread. A test that needs threads sets them itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two threads that spin beside others: 40 s for 9 s of work
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import ipaddress
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shapes import check_shapes

check_shapes()

ROOT = Path(__file__).resolve().parent.parent
OUTGOING: list[str] = []
DEAREST = ("stories", "laws", "parity")
"""The folders whose files take longest: begun first, no worker is left alone with one of them at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders of the dearest files first where tests are shared among workers, which get whole files."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        order = {name: place for place, name in enumerate(DEAREST)}
        items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


def is_local(host: object) -> bool:
    """Whether an address names this machine's loopback."""
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        text = host.decode() if isinstance(host, bytes) else str(host)
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def is_number(host: object) -> bool:
    """Whether a host is a numeric address, which nobody has to be asked about."""
    try:
        ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return True


def guard(event: str, given: tuple[object, ...]) -> None:
    """Refuse and remember each connection and each name look-up that would leave this machine."""
    if event == "socket.connect":
        address = given[1]
        host = address[0] if isinstance(address, tuple) else None  # a unix socket's address is a path
    elif event == "socket.getaddrinfo":
        host = None if is_number(given[0]) else given[0]
    else:
        return
    if not is_local(host):
        OUTGOING.append(f"{event} {host}")
        raise RuntimeError(f"a test tried to reach {host}: tests use no network")


sys.addaudithook(guard)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fail the test that tried to leave the machine, even where a library swallowed the refusal."""
    OUTGOING.clear()
    yield
    tried, OUTGOING[:] = list(OUTGOING), []
    assert not tried, f"outgoing connections: {tried}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data does not lie beside this repository")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of two layers that knows the words of tests/tiny.py, in published form."""
    from tests.tiny import write_model

    return write_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def tiny_project(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose whole run takes some seconds; one stands in its folder."""
    from tests.tiny import write_project

    folder = write_project(tmp_path / "rooms", tiny_model)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def judged_project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a project after `dragoman run --all`, lora included. To be read; what changes it works on a copy."""
    from tests.command import dragoman
    from tests.tiny import write_project

    rungs = ("zero_shot", "few_shot", "head", "lora", "full")
    folder = write_project(tmp_path_factory.mktemp("judged") / "rooms", tiny_model, rungs=rungs)
    done = dragoman("run", "--all", "--json", folder=folder)
    assert done.code == 0, done
    return folder


@pytest.fixture
def judged(judged_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the judged project for one test; one stands in it."""
    own = shutil.ignore_patterns("journal.sqlite*")  # a server of the project may be writing it meanwhile
    folder = Path(shutil.copytree(judged_project, tmp_path / "rooms", ignore=own))
    monkeypatch.chdir(folder)
    return folder
