"""What Landlock is told: that nothing may be done with any file but to read the ones named, nor with the network.

Source: linux/landlock.h and landlock(7). Each version of the kernel's interface (ABI) knows more rights, and refuses a
set that holds one it does not know, so they are asked for by version.
"""

import ctypes
import platform
import sys
from typing import Any

__all__ = ["READ_FILE", "READ_FOLDER", "abi", "handled", "rules_of"]

CREATE, BY_VERSION = 444, 1  # the system call's number is the same on x86_64 and aarch64
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
FILES = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}  # 13 rights; then linking across folders, truncation, devices
NETWORK, SCOPES = 0b11, 0b11  # bind and connect over TCP; abstract sockets and signals to whoever stands outside


def abi() -> int:
    """The version that this kernel has; 0 where it has none or does not let us use it."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return 0
    return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(CREATE, None, 0, BY_VERSION)))


def handled(version: int) -> dict[str, int]:
    """The rights that are taken away under a version: of files, of the network and towards those outside."""
    files = FILES[max(known for known in FILES if known <= version)]
    return {"files": files, "network": NETWORK if version >= 4 else 0, "scopes": SCOPES if version >= 6 else 0}


def rules_of(version: int, folders: tuple[str, ...], files: tuple[str, ...]) -> dict[str, Any]:
    """What the child tells the kernel: what is taken away, and the reading that is given back."""
    given = [[place, READ_FILE | READ_FOLDER] for place in folders] + [[place, READ_FILE] for place in files]
    return {"version": version, **handled(version), "rules": given}
