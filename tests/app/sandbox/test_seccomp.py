"""The filter lets through what is named and refuses the rest, seen by carrying out its instructions here."""

import struct

import pytest

from dragoman.app.sandbox.seccomp import ALLOWED, ARCHITECTURES, DESCRIPTOR_COMMANDS, filter_of

ALLOW, KILL, REFUSE, NO_TERMINAL = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050019
F_SETFL, F_SETOWN = 4, 8
# Numbers on x86_64 and aarch64.
DENIED = {
    "clone": (56, 220), "clone3": (435, 435), "execve": (59, 221), "execveat": (322, 281),
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "sendto": (44, 206), "socketpair": (53, 199),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kill": (62, 129),
    "tkill": (200, 130), "tgkill": (234, 131), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "bpf": (321, 280), "keyctl": (250, 219),
    "add_key": (248, 217), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "kexec_load": (246, 104), "init_module": (175, 105),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "memfd_create": (319, 279), "prlimit64": (302, 261),
    "setrlimit": (160, 164), "setuid": (105, 146), "capset": (126, 91), "prctl": (157, 167), "seccomp": (317, 277),
    "setsid": (112, 157), "mknodat": (259, 33), "unlinkat": (263, 35), "mkdirat": (258, 34), "symlinkat": (266, 36),
    "ftruncate": (77, 46), "sethostname": (170, 161), "clock_settime": (227, 112), "shmget": (29, 194),
    "open_by_handle_at": (304, 265), "fsopen": (430, 430), "uname": (63, 160), "readlinkat": (267, 78),
}  # fmt: skip


def decided(lines: bytes, number: int, arch: int, second: int = 0) -> int:
    """What the kernel would do with a call: loads, comparisons and returns are all that the filter is made of."""
    data = struct.pack("=IIQ6Q", number, arch, 0, 0, second, 0, 0, 0, 0)
    program = list(struct.iter_unpack("=HBBI", lines))
    place, held = 0, 0
    while True:
        code, yes, no, value = program[place]
        if code == 0x06:
            return int(value)
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        else:
            assert code == 0x15
            place += yes if held == value else no
        place += 1


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_what_is_let_through(machine: str, column: int) -> None:
    lines, arch = filter_of(machine), ARCHITECTURES[machine]
    for name, pair in ALLOWED.items():
        number = pair[column]
        assert number is None or decided(lines, number, arch) == ALLOW, name
    for name, numbers in DENIED.items():
        assert decided(lines, numbers[column], arch) == REFUSE, name


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_every_number_that_is_not_named_is_refused(machine: str, column: int) -> None:
    lines, arch = filter_of(machine), ARCHITECTURES[machine]
    named = {pair[column] for pair in ALLOWED.values()} | {(72, 25)[column], (16, 29)[column]}
    for number in range(600):
        assert number in named or decided(lines, number, arch) == REFUSE
        assert decided(lines, number | 0x40000000, arch) == REFUSE


def test_another_machines_calls_end_the_program() -> None:
    assert decided(filter_of("x86_64"), 1, 0x40000003) == KILL
    assert decided(filter_of("aarch64"), 64, ARCHITECTURES["x86_64"]) == KILL


def test_descriptors_may_be_copied_but_send_no_signals() -> None:
    lines, arch = filter_of("x86_64"), ARCHITECTURES["x86_64"]
    assert {decided(lines, 72, arch, command) for command in DESCRIPTOR_COMMANDS} == {ALLOW}
    assert {decided(lines, 72, arch, command) for command in (F_SETFL, F_SETOWN, 15, 1024, 1031)} == {REFUSE}
    assert decided(lines, 16, arch) == NO_TERMINAL


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        filter_of("riscv64")
