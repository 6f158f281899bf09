"""The host as a program finds it in an attempt: a secret, a file, sockets; and what was done to them afterwards."""

import contextlib
import ctypes
import os
import secrets
import socket
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Host", "watched"]

SECRET = "DRAGOMAN_CANARY"


@dataclass(frozen=True)
class Host:
    """What is watched while an attempt runs. All of it is made for that, and is gone afterwards."""

    folder: Path
    token: str
    "a word nobody else uses, 15 letters: the longest name of a process"
    file: Path
    content: str
    descriptor: int
    tcp: socket.socket
    udp: socket.socket
    abstract: socket.socket
    memory: Any
    "eight bytes of ours"
    site: tuple[Path, ...]
    "folders whose .pth files Python reads when it starts"
    name: str

    def told(self) -> dict[str, Any]:
        """What an attempt is told, so that it fails for no lack of knowledge."""
        return {
            "file": str(self.file),
            "folder": str(self.folder),
            "secret": SECRET,
            "token": self.token,
            "process": os.getpid(),
            "descriptor": self.descriptor,
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "abstract": self.token,
            "address": ctypes.addressof(self.memory),
            "site": [str(folder) for folder in self.site],
            "unpickled": str(self.folder / "unpickled"),
            "name": self.name,
        }

    def harm(self) -> str:
        """What was done to the host, in a few words; empty where nothing was."""
        found = ["its file was changed"] if self.file.read_text() != self.content else []
        found += ["something was unpickled"] if (self.folder / "unpickled").exists() else []
        found += ["a .pth was planted"] if any(path.exists() for path in self._planted()) else []
        found += ["its name was changed"] if socket.gethostname() != self.name else []
        found += ["a process lives on"] if self.token in _process_names() else []
        doors = (("its port", self.tcp), ("its abstract socket", self.abstract))
        found += [f"{what} was reached" for what, door in doors if _was_called(door)]
        found += ["a datagram arrived"] if _was_told(self.udp) else []
        return ", ".join(found)

    def _planted(self) -> list[Path]:
        return [folder / f"{self.token}.pth" for folder in self.site]

    def close(self) -> None:
        """Take away what an attempt may have left outside the folder."""
        for path in self._planted():
            path.unlink(missing_ok=True)


def _was_called(door: socket.socket) -> bool:
    try:
        caller, _ = door.accept()
    except BlockingIOError:
        return False
    caller.close()
    return True


def _was_told(door: socket.socket) -> bool:
    try:
        return bool(door.recv(10))
    except BlockingIOError:
        return False


def _process_names() -> set[str]:
    """The names of all that runs, as the kernel keeps them."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it ended while we looked
            found.add(path.read_text().strip())
    return found


@contextlib.contextmanager
def watched() -> Iterator[Host]:
    """A host to attempt something on; its secret stands in our environment as long as this lasts."""
    token, content = f"canary{secrets.token_hex(4)}"[:15], secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="witness-")))
        file = folder / "file.txt"
        file.write_text(content)
        descriptor = os.open(file, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        os.set_inheritable(descriptor, True)
        tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        abstract.bind(f"\0{token}")
        tcp.listen()
        abstract.listen()
        for door in (tcp, udp, abstract):
            door.setblocking(False)
        paths = (Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib")) / "site-packages")
        site = tuple(path for path in dict.fromkeys(paths) if path.is_dir())
        memory = ctypes.create_string_buffer(b"memory!!")
        host = Host(folder, token, file, content, descriptor, tcp, udp, abstract, memory, site, socket.gethostname())
        stack.callback(host.close)
        os.environ[SECRET] = content
        stack.callback(os.environ.pop, SECRET, None)
        yield host
