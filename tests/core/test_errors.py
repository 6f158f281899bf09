"""A mistake is a problem and a hint; being asked to stop is not a mistake."""

from dragoman.core.errors import Busy, Stopped, UserError


def test_a_mistake_carries_what_is_wrong_and_what_mends_it() -> None:
    error = Busy("runs/train-1 is in use", "wait for it to end")
    assert isinstance(error, UserError)
    assert (str(error), error.problem, error.hint) == (error.problem, "runs/train-1 is in use", "wait for it to end")


def test_being_stopped_is_not_a_mistake() -> None:
    stopped = Stopped(15, "stopped at step 30; everything is saved")
    assert not isinstance(stopped, UserError)
    assert stopped.signal == 15
    assert "step 30" in str(stopped)
