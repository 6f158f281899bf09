"""A signal is a wish; the second one is obeyed at once."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from dragoman.core.errors import Stopped
from dragoman.train.stopping import catching


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_noted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with catching() as wish:
        wish.grant("not yet")
        os.kill(os.getpid(), number)
        assert wish.signal == number
        with pytest.raises(Stopped, match="saved") as caught:
            wish.grant("everything is saved")
        assert caught.value.signal == number
    assert signal.getsignal(number) is before


def test_where_nothing_is_half_done_it_is_obeyed_at_once() -> None:
    reached = []
    with catching() as wish:
        with pytest.raises(Stopped), wish.interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append("never")
        assert not wish.at_once
        with pytest.raises(Stopped), wish.interruptible():
            reached.append("never")
    assert not reached


def test_the_second_signal_ends_the_process() -> None:
    code = """
import os, signal
from dragoman.train.stopping import catching
with catching():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    print("never")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout == ""


def test_outside_the_main_thread_nothing_is_caught() -> None:
    found = []

    def work() -> None:
        with catching() as wish:
            found.append(wish.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0]
