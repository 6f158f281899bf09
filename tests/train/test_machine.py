"""A machine is measured to be what it is: figures above nothing, in the order that hardware has them."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.machine import Machine, measure_machine


@pytest.fixture(scope="module")
def machine() -> Machine:
    """This one, measured no longer than one call of each kind takes."""
    return measure_machine("cpu", seconds=0.01, width=64, length=32)


def test_every_figure_is_measured(machine: Machine) -> None:
    assert machine.device == "cpu"
    assert machine.name
    figures = (machine.fp32, machine.bf16, machine.learning_fp32, machine.learning_bf16, machine.bandwidth)
    assert all(figure > 1e6 for figure in figures)
    assert machine.memory > 0


def test_the_figures_of_a_precision() -> None:
    machine = Machine("cpu", "two", 100.0, 400.0, 40.0, 120.0, 1e9, 10**9)
    assert (machine.peak("fp32"), machine.learning("fp32")) == (100.0, 40.0)
    assert (machine.peak("bf16"), machine.learning("bf16")) == (400.0, 120.0)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="nowhere"):
        measure_machine("nowhere", seconds=0.01)
