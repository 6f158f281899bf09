"""What runs a program beside ours: a process that gives up every right it can, and only then reads what it is to run.

It is started by file name with Python's `-I -S`, so it imports nothing of ours. On standard input it is told on one
line how to shut itself in, and on the next the program. It says `locked`, compiles, says `ready`, is told a word that
nobody knew before, runs the program, and writes that word with the answer as JSON. All of this goes through what was
its standard error; by then that is no longer the program's.

What this does not cover: the program runs in the same process as these lines, so one that looks for the word can find
it and give an answer of its own. It can do that by saying `answer = ...` too; what it says is never more than its word.
"""

import builtins
import ctypes
import importlib.machinery
import io
import json
import math
import os
import resource
import sys
import types
from typing import Any

__all__ = ["main"]

NO_NEW_RIGHTS, DIE_WITH_PARENT, NOT_DUMPABLE, DROP_BOUND, FILTER, AMBIENT = 38, 1, 4, 24, 22, 47  # of prctl(2)
BY_PROGRAM, CLEAR_ALL, KILLED = 2, 4, 9
CREATE, ADD, RESTRICT, BENEATH = 444, 445, 446, 1  # of landlock(7)
CAPABILITIES, THIRD_VERSION = 64, 0x20080522
DEEPEST = 20  # lists in lists that are told as such
SPARE = 4 << 20  # bytes kept to tell of an error with, where the program has used up the rest


def main() -> None:
    """Read what is to be done, shut everything, run, answer."""
    given = sys.stdin.buffer
    told: dict[str, Any] = json.loads(given.readline())
    text: str = json.loads(given.readline())
    results = os.dup(2)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.closerange(max(results, nowhere) + 1, 4096)
    os.close(nowhere)
    # The filter refuses uname, which tells the host's name; modules such as uuid ask for it while they are imported.
    system = os.uname_result((os.uname().sysname, "sandbox", "", "", os.uname().machine))
    os.uname = lambda: system
    try:
        _shut(told)
    except OSError as error:
        os.write(results, f"not shut in: {error}\n".encode())
        os._exit(3)
    os.write(results, b"locked\n")
    made, problem = _compiled(text)
    os.write(results, b"ready\n")
    word = given.readline().strip()
    os.close(0)
    space = types.ModuleType("__main__")
    space.__dict__["__builtins__"] = builtins  # modules written in C import through it
    sys.modules["__main__"] = space
    sys.stdin = io.StringIO()
    spare = bytearray(SPARE)
    if made is not None:
        problem = _run(made, space, spare)
    if problem:
        space.__dict__.clear()
    said = _said(space, problem)
    sys.stdout.flush()
    line = word + b" " + said
    while line:
        line = line[os.write(results, line) :]
    os._exit(0)


def _compiled(text: str) -> tuple[types.CodeType | None, str]:
    try:
        loader = importlib.machinery.SourceFileLoader("program", "<program>")
        return loader.source_to_code(text.encode("utf-8", "surrogatepass"), "<program>"), ""
    except BaseException as error:
        return None, _told(error)


def _run(made: types.CodeType, space: types.ModuleType, spare: bytearray) -> str:
    """What went wrong; empty where nothing did. The spare memory is let go of where something did."""
    try:
        types.FunctionType(made, space.__dict__)()
    except SystemExit as ended:
        return "" if ended.code in (None, 0) else f"it ended with exit status {ended.code}"
    except BaseException as error:
        spare.clear()
        return _told(error)
    return ""


def _told(error: BaseException) -> str:
    """The kind of error, what it says, and the line of the program it came from."""
    line, here = getattr(error, "lineno", None), error.__traceback__
    while here is not None:
        if here.tb_frame.f_code.co_filename == "<program>":
            line = here.tb_lineno
        here = here.tb_next
    try:
        says = str(error.msg if isinstance(error, SyntaxError) else error)[:300]
    except BaseException:
        says = ""
    return f"{type(error).__name__}: {says}" + (f" (line {line})" if line else "")


def _said(space: types.ModuleType, problem: str) -> bytes:
    found: dict[str, Any] = {"problem": problem}
    try:
        if "answer" in space.__dict__:
            found["answer"] = _plain(space.__dict__["answer"], 0)
        return json.dumps(found, allow_nan=False).encode("ascii")
    except BaseException as error:
        return json.dumps({"problem": problem or f"the answer cannot be told: {_told(error)}"}).encode("ascii")


def _plain(value: Any, depth: int) -> Any:
    """A value as JSON knows it; what JSON does not know becomes its text, nan and infinity among it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 10**15 else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if depth < DEEPEST and isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if depth < DEEPEST and isinstance(value, dict):
        return {_plain(str(key), depth): _plain(item, depth + 1) for key, item in value.items()}
    return str(value).encode("utf-8", "replace").decode()


def _shut(told: dict[str, Any]) -> None:
    """Give up everything, the filter last: it refuses the calls that the others are made of. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    for kind, most in told["limits"].items():
        resource.setrlimit(getattr(resource, kind), (most, most))
    _did(library.prctl(NO_NEW_RIGHTS, 1, 0, 0, 0), "no new rights")
    library.prctl(DIE_WITH_PARENT, KILLED, 0, 0, 0)
    library.prctl(NOT_DUMPABLE, 0, 0, 0, 0)
    _drop(library)
    if told["landlock"]:
        _landlock(library, told["landlock"])
    if told["filter"]:
        _filter(library, bytes.fromhex(told["filter"]))


def _did(code: int, what: str) -> int:
    if code < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return code


def _drop(library: ctypes.CDLL) -> None:
    """Root's rights, where it is root's: it stays the same user, and is then bound by what binds any other."""
    for number in range(CAPABILITIES):
        library.prctl(DROP_BOUND, number, 0, 0, 0)
    library.prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(THIRD_VERSION, 0)
    _did(library.capset(header, (ctypes.c_uint32 * 6)()), "no capabilities")


def _landlock(library: ctypes.CDLL, told: dict[str, Any]) -> None:
    wanted = (ctypes.c_uint64 * 3)(told["files"], told["network"], told["scopes"])
    size = 8 if told["version"] < 4 else 16 if told["version"] < 6 else 24
    ruleset = _did(library.syscall(CREATE, wanted, ctypes.c_size_t(size), 0), "landlock")
    for place, rights in told["rules"]:
        try:
            held = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rule = int(rights).to_bytes(8, sys.byteorder) + held.to_bytes(4, sys.byteorder)
        _did(library.syscall(ADD, ruleset, BENEATH, rule, 0), f"landlock, {place}")
        os.close(held)
    _did(library.syscall(RESTRICT, ruleset, 0), "landlock")
    os.close(ruleset)


def _filter(library: ctypes.CDLL, lines: bytes) -> None:
    """Hand the kernel a `struct sock_fprog`: how many instructions, and where they stand."""

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_uint16), ("lines", ctypes.c_char_p)]

    program = Program(len(lines) // 8, lines)
    _did(library.prctl(FILTER, BY_PROGRAM, ctypes.byref(program), 0, 0), "seccomp")


if __name__ == "__main__":
    main()
