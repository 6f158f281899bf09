"""What runs a rule beside the program: a process of its own, few rights, one JSON line in and out for each answer.

It is started by `models.rules` with Python's isolated mode, in an empty folder, without an environment. Before a rule
is read it gives up files larger than nothing, new processes, memory beyond 1 GiB, the network where the kernel lets it
leave, and, by an audit hook, sockets, writing, other programs and ctypes. That guards against mistakes, and against
what a model writes being taken for more than a text. It is no prison for an author who means harm: run rules you have
read.
"""

import ctypes
import json
import os
import re
import resource
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["main"]

MEMORY = 1 << 30  # bytes beyond what Python itself has
REFUSED = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.remove", "os.rename",
    "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.kill", "shutil.",
    "ctypes.", "pty.", "urllib.", "ftplib.", "smtplib.", "telnetlib.", "webbrowser.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NEW_USER, NEW_NET = 0x10000000, 0x40000000


def main(kind: str, source: str) -> None:
    """Answer lines until there are none. `kind` is regex or python, `source` a pattern or the path of a file."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a rule prints must not be taken for an answer
    _give_up()
    try:
        rule = _file_rule(source) if kind == "python" else _pattern_rule(source)
    except BaseException as error:
        _say(answers, {"broken": _told(error)})
        return
    _say(answers, {"ready": True})
    for line in sys.stdin:
        given = json.loads(line)
        try:
            value = rule(given["prompt"], given["answer"])
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"reward gave a {type(value).__name__}, not a number")
            _say(answers, {"reward": float(value)})
        except BaseException as error:
            _say(answers, {"error": _told(error)})


def _say(answers: Any, line: dict[str, Any]) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.flush()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _pattern_rule(pattern: str) -> Callable[[Any, str], float]:
    """How often the pattern is found."""
    made = re.compile(pattern)
    return lambda prompt, answer: float(sum(1 for _ in made.finditer(answer)))


def _file_rule(path: str) -> Callable[[Any, str], Any]:
    """The function `reward` of a file that the user named."""
    rule: Callable[[Any, str], Any] | None = runpy.run_path(path, run_name="rule").get("reward")
    if not callable(rule):
        raise NameError("the file has no function reward(prompt, answer)")
    return rule


def _give_up() -> None:
    """Let go of every right that a rule does not need."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).unshare(
            NEW_USER | NEW_NET
        )  # fails where the kernel forbids it; the hook stays
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_refuse)


def _refuse(event: str, given: tuple[Any, ...]) -> None:
    writes = event == "open" and (
        (isinstance(given[1], str) and any(one in given[1] for one in "wax+"))
        or (isinstance(given[2], int) and bool(given[2] & WRITING))
    )
    if writes or event.startswith(REFUSED):
        raise PermissionError(f"a rule may not do this: {event}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
