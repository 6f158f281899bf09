"""No attempt gets out of a sandbox of this machine; out of one whose layers are taken away, the same attempts do."""

import os
import sys

import pytest

from dragoman.app.sandbox.attempts import ATTEMPTS, Attempt
from dragoman.app.sandbox.backends import Backend, Landlock
from dragoman.app.sandbox.box import Sandbox
from dragoman.app.sandbox.trial import attempt_all, measure_cost
from dragoman.app.sandbox.witness import SECRET
from tests.app.sandbox.boxes import Layered, box_of, each_backend, opened, places

HARMLESS = (
    "read a file of the host",
    "reach a port of the host",
    "send a datagram",
    "reach an abstract socket of the host",
    "signal its parent",
    "list the processes of the host",
)
"""Attempts that do nothing to a machine on which they succeed, and that need no rights of root to succeed."""


def named(*names: str) -> list[Attempt]:
    return [attempt for attempt in ATTEMPTS if attempt.name in names]


@each_backend
def test_no_attempt_gets_out(backend: Backend) -> None:
    found = attempt_all(box_of(backend))
    assert len(found) == 30
    assert [verdict for verdict in found if verdict.escaped] == []
    assert SECRET not in os.environ


def test_the_attempts_get_out_where_nothing_holds_them() -> None:
    box_of(Landlock())
    found = attempt_all(Sandbox(Layered(), places()), named(*HARMLESS))
    assert {verdict.name: bool(verdict.escaped) for verdict in found} == dict.fromkeys(HARMLESS, True)
    harm = {verdict.name: verdict.escaped for verdict in found}
    assert "its port was reached" in harm["reach a port of the host"]
    assert "a datagram arrived" in harm["send a datagram"]
    assert "the secret came out" in harm["read a file of the host"]


def test_each_layer_holds_what_the_other_does_not() -> None:
    box_of(Landlock())
    wanted = named("read a file of the host", "send a datagram")
    files = attempt_all(Sandbox(Layered(files=True), places()), wanted)
    calls = attempt_all(Sandbox(Layered(calls=True), places()), wanted)
    assert [bool(verdict.escaped) for verdict in files] == [False, True]
    assert [bool(verdict.escaped) for verdict in calls] == [True, False]


def test_a_program_that_lives_on_is_seen() -> None:
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("only root may start processes under a limit of none")
    box_of(Landlock())
    [verdict] = attempt_all(Sandbox(Layered(), places()), named("outlive its run"))
    assert "a process lives on" in verdict.escaped


LANGUAGE = (
    "[one for one in ().__class__.__base__.__subclasses__() if one.__name__ == '_wrap_close'][0]"
    ".__init__.__globals__['system']('cat ' + HOST['file'])",
    "import random; random._os.system('cat ' + HOST['file'])",
    "import os; getattr(os, 'sys' + 'tem')('cat ' + HOST['file'])",
    "import inspect; answer = '{0.f_back.f_globals}'.format(inspect.currentframe()) + open(HOST['file']).read()",
    "class Late:\n    def __del__(self): print(open(HOST['file']).read())\nkept = Late()",
    "class Same:\n    def __str__(self): return open(HOST['file']).read()\nanswer = Same()",
    "import ctypes; file = ctypes.CDLL(None).fopen; file.restype = ctypes.c_void_p\n"
    "if file(HOST['file'].encode(), b'r'): print('GOT')",
    "import sys\nhere = sys._getframe()\nwhile here.f_back: here = here.f_back\n"
    "here.f_globals['os'].execv('/bin/cat', ['cat', HOST['file']])",
    "import pickle; pickle.loads(b'cos\\nsystem\\n(S\"cat ' + HOST['file'].encode() + b'\"\\ntR.')",
    "import importlib; importlib.reload(importlib.import_module('posix')).system('cat ' + HOST['file'])",
)
"""Ways round a guard that reads programs; here there is none to get round, and at their end stands nothing."""


def test_tricks_of_the_language_gain_nothing() -> None:
    found = attempt_all(opened(), [Attempt(f"trick {place}", text) for place, text in enumerate(LANGUAGE)])
    assert [verdict for verdict in found if verdict.escaped] == []


def test_the_cost_is_measured() -> None:
    cost = measure_cost(opened(), 1)
    assert 0 < cost.plain < cost.boxed
