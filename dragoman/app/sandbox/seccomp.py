"""The filter of system calls that a program runs behind: what is not named here is refused by the kernel.

What is named is what CPython needs to compute, to import its own library and to print. There is no call among it that
makes a process, a thread, a socket, a pipe, a file or a name space, that runs another program, that sends a signal, or
that reaches another process. A refused call fails with EPERM; a call of another machine's numbers (the 32-bit ones of
x86) ends the program. Source: seccomp(2), and linux/filter.h for the instructions.
"""

import struct

__all__ = ["ALLOWED", "ARCHITECTURES", "DESCRIPTOR_COMMANDS", "filter_of"]

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"what the kernel calls each machine: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64"

# Numbers on x86_64 and aarch64; None where the machine has no such call.
ALLOWED: dict[str, tuple[int, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "close": (3, 57),
    "lseek": (8, 62), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "open": (2, None), "openat": (257, 56), "getdents64": (217, 61), "getcwd": (79, 17),
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "futex": (202, 98),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getrusage": (98, 165), "times": (100, 153),
    "sched_getaffinity": (204, 123), "sched_yield": (24, 124), "getrandom": (318, 278),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""The calls that are let through whatever their arguments are."""

FCNTL, IOCTL = (72, 25), (16, 29)
DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 1030)
"""What fcntl may do: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC.

F_SETOWN and F_SETFL are not among it: together they make the kernel send a signal to any process of the same user.
"""

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_NUMBER, _ARCH, _SECOND = 0, 4, 24  # where struct seccomp_data holds them; the low half of the second argument
_ALLOW, _KILL, _REFUSE, _NO_TERMINAL = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050019  # ERRNO with EPERM, ENOTTY


def filter_of(machine: str) -> bytes:
    """The filter as the kernel reads it, 8 bytes an instruction. Raises KeyError for a machine it does not know."""
    column = 0 if machine == "x86_64" else 1
    arch = ARCHITECTURES[machine]
    numbers = [pair[column] for pair in ALLOWED.values()]
    allowed = [number for number in numbers if number is not None]
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    for number in allowed:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_EQUAL, 0, 1, IOCTL[column]), (_RETURN, 0, 0, _NO_TERMINAL)]
    lines += [(_EQUAL, 1, 0, FCNTL[column]), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, _SECOND)]
    for command in DESCRIPTOR_COMMANDS:
        lines += [(_EQUAL, 0, 1, command), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
