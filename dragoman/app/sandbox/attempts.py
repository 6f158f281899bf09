"""Thirty programs that try to get out of the sandbox, each harmless where it does.

Each is told of the host by a table `HOST` (see `witness.Host`) and says `GOT` where it got what it came for; what it
cannot know, such as that it outlived its run, the witness sees from outside.
"""

from dataclasses import dataclass

__all__ = ["ATTEMPTS", "Attempt"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out."""

    name: str
    program: str
    hurried: bool = False
    "it never ends by itself, so it is given a second"


CALL = """
import ctypes, os, platform
library = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
"""
TELL_ALL = """
for number in range(1, 32):
    try:
        os.write(number, forged)
    except OSError:
        pass
os._exit(0)
"""

ATTEMPTS = (
    Attempt("read a file of the host", 'print("GOT", open(HOST["file"]).read())'),
    Attempt("write a file of the host", 'open(HOST["file"], "a").write("written"); print("GOT")'),
    Attempt("read /etc/shadow", 'print("GOT", len(open("/etc/shadow").read()))'),
    Attempt("read a secret from its environment", 'import os\nif HOST["secret"] in os.environ: print("GOT")'),
    Attempt(
        "read the environment of its parent",
        """
import os
for number in (HOST["process"], os.getppid(), 1, "self"):
    try:
        if open(f"/proc/{number}/environ").read(): print("GOT")
    except OSError:
        pass
""",
    ),
    Attempt(
        "reach a port of the host",
        'import socket\nsocket.create_connection(("127.0.0.1", HOST["tcp"]), 1).send(b"x"); print("GOT")',
    ),
    Attempt(
        "send a datagram",
        """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", HOST["udp"]))
print("GOT")
""",
    ),
    Attempt(
        "reach an abstract socket of the host",
        'import socket\nsocket.socket(socket.AF_UNIX).connect("\\0" + HOST["abstract"]); print("GOT")',
    ),
    Attempt(
        "start a shell",
        """
import os, subprocess
try:
    print(subprocess.run(["/bin/sh", "-c", "echo G''OT"], capture_output=True, text=True).stdout)
except OSError:
    pass
if os.system("true") == 0: print("GOT")
os.execv("/bin/sh", ["sh", "-c", "echo G''OT"])
""",
    ),
    Attempt("signal its parent", 'import os\nos.kill(HOST["process"], 0); print("GOT")'),
    Attempt(
        "trace its parent",
        CALL
        + """
number = 117 if arm else 101
if library.syscall(number, 0x4206, HOST["process"], None, None) == 0:
    library.syscall(number, 17, HOST["process"], None, None)
    print("GOT")
""",
    ),
    Attempt(
        "open the memory of its parent",
        CALL
        + """
try:
    open(f"/proc/{HOST['process']}/mem", "rb"); print("GOT")
except OSError:
    pass
pair = (ctypes.c_size_t * 2)(HOST["address"], 8)
room = ctypes.create_string_buffer(8)
into = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8)
if library.syscall(270 if arm else 310, HOST["process"], into, 1, pair, 1, 0) == 8: print("GOT")
""",
    ),
    Attempt("use a descriptor of the host", 'import os\nprint("GOT", os.read(HOST["descriptor"], 100))'),
    Attempt(
        "start four hundred processes",
        """
import os, time
for number in range(400):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
print("GOT")
""",
    ),
    Attempt(
        "outlive its run",
        """
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, HOST["token"].encode(), 0, 0, 0)
        for number in range(3): os.close(number)
        time.sleep(4)
    os._exit(0)
time.sleep(0.3)
os._exit(0)
""",
    ),
    Attempt("take 3 GB of memory", 'room = bytearray(3 << 30); print("GOT")'),
    Attempt("never end", "while True: pass", hurried=True),
    Attempt("never come back from one call", 'import re\nre.match(r"(a+)+$", "a" * 60 + "b")', hurried=True),
    Attempt(
        "sleep on, deaf to SIGTERM",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
        hurried=True,
    ),
    Attempt("flood what it prints", 'while True: print("x" * 1000)', hurried=True),
    Attempt(
        "fill the disk",
        """
import os
for folder in (".", HOST["folder"], "/tmp", "/dev/shm"):
    path = os.path.join(folder, HOST["token"])
    try:
        with open(path, "wb") as file:
            for number in range(16): file.write(bytes(1 << 20))
        print("GOT")
    except OSError:
        pass
    finally:
        if os.path.exists(path): os.unlink(path)
""",
    ),
    Attempt(
        "plant a .pth for the next Python",
        """
import os
for folder in HOST["site"]:
    try:
        open(os.path.join(folder, HOST["token"] + ".pth"), "w").write("# a canary")
        print("GOT")
    except OSError:
        pass
""",
    ),
    Attempt(
        "make name spaces and mount in them",
        CALL + 'if library.syscall(97 if arm else 272, 0x10000000 | 0x00020000) == 0: print("GOT")',
    ),
    Attempt(
        "make a raw device",
        """
import os, stat
os.mknod(HOST["token"], stat.S_IFBLK | 0o600, os.makedev(7, 0))
open(HOST["token"], "rb"); print("GOT")
""",
    ),
    Attempt(
        "put a link where a result might lie",
        """
import os
for name in ("result.json", "answer.json", "output.txt", "stdout"):
    try:
        os.symlink(HOST["file"], name)
    except OSError:
        pass
answer = "linked"
""",
    ),
    Attempt(
        "forge a result and leave",
        'import os\nforged = b"0" * 32 + b\' {"problem": "", "answer": "forged"}\'\n' + TELL_ALL,
    ),
    Attempt(
        "answer with a pickled object",
        """
import os, pickle
class Trap:
    def __reduce__(self): return (open, (HOST["unpickled"], "w"))
forged = pickle.dumps(Trap())
"""
        + TELL_ALL,
    ),
    Attempt(
        "use io_uring, bpf and keyctl",
        CALL
        + """
room = ctypes.create_string_buffer(256)
if library.syscall(425, 4, room) >= 0: print("GOT io_uring")
shape = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
if library.syscall(280 if arm else 321, 0, shape, 128) >= 0: print("GOT bpf")
if library.syscall(219 if arm else 250, 0, -3, 0) >= 0: print("GOT keyctl")
""",
    ),
    Attempt(
        "list the processes of the host",
        """
import os
names = os.listdir("/proc")
if str(HOST["process"]) in names: print("GOT", open(f"/proc/{HOST['process']}/cmdline").read())
""",
    ),
    Attempt(
        "change the name of the host, or its clock",
        """
import socket, time
try:
    socket.sethostname(HOST["name"]); print("GOT")
except OSError:
    time.clock_settime(time.CLOCK_REALTIME, time.time()); print("GOT")
""",
    ),
)
"""In a fixed order, numbered from 1."""
