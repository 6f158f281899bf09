"""Whether an engine answers: what is asked of it, and how often."""

import time

import pytest

from dragoman.models.remote_health import Health
from tests.models.engine import KEY, Engine

MODELS = {"data": [{"id": "m"}, {"id": "polite"}, {"id": "polite"}, {"id": 3}, "no"]}


@pytest.mark.parametrize(
    ("health", "models", "said"),
    [
        (404, (200, MODELS), ""),
        (200, (404, {}), ""),
        (501, (501, {}), ""),
        (503, (200, MODELS), "not well (503)"),
        (200, (401, {}), "refuses the key"),
        (200, (500, {}), "cannot say which models"),
    ],
)
def test_what_a_look_finds(engine: Engine, health: int, models: tuple[int, object], said: str) -> None:
    engine.shown = {"/health": (health, {}), "/v1/models": models}
    found = Health(engine.lm().wire, "m")
    assert found.good
    found.look()
    assert found.good is not bool(said)
    assert said in found.problem
    assert KEY not in found.problem
    assert found.models == (("polite",) if models[0] == 200 and not said else ())


def test_it_goes_on_looking_while_it_fails(engine: Engine) -> None:
    engine.shown["/health"] = (503, {})
    health = Health(engine.lm().wire, "m", failing=0.05)
    health.start()
    assert health.looked.wait(5)
    for status in (503, 200, 500):
        engine.shown["/health"] = (status, {})
        health.look_soon()
        end = time.monotonic() + 10
        while health.good is not (status == 200):
            assert time.monotonic() < end
            time.sleep(0.01)
    health.stop()
    assert not health._thread.is_alive()
