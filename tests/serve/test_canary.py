"""Who is in a trial is decided by what stays the same of them, and in no other way."""

import pytest

from dragoman.core.errors import UserError
from dragoman.serve.canary import Canary

PEOPLE = [f"person {number}" for number in range(4000)]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_the_share_is_kept(share: float) -> None:
    trial = Canary("old", "new", share)
    by_key = sum(trial.arm("old", person, "") == "new" for person in PEOPLE) / len(PEOPLE)
    by_conversation = sum(trial.arm("old", "", person) == "new" for person in PEOPLE) / len(PEOPLE)
    bound = 4 * (share * (1 - share) / len(PEOPLE)) ** 0.5
    assert abs(by_key - share) < bound and abs(by_conversation - share) < bound


def test_a_person_stays_in_an_arm() -> None:
    trial = Canary("old", "new", 0.5)
    for person in PEOPLE[:50]:
        assert len({trial.arm("old", person, talk) for talk in PEOPLE[:20]}) == 1
        assert trial.arm("old", person, "") == Canary("old", "new", 0.5).arm("old", person, "")
    # A larger share keeps those who are in it, and another candidate draws others.
    inside = {person for person in PEOPLE if trial.arm("old", person, "") == "new"}
    assert inside < {person for person in PEOPLE if Canary("old", "new", 0.6).arm("old", person, "") == "new"}
    others = {person for person in PEOPLE if Canary("old", "newer", 0.5).arm("old", person, "") == "newer"}
    assert 0.4 < len(inside & others) / len(inside) < 0.6


def test_who_asks_for_another_model_is_in_no_trial() -> None:
    trial = Canary("old", "new", 0.5)
    assert {trial.arm(name, person, "") for name in ("new", "other") for person in PEOPLE[:50]} == {""}


def test_what_is_no_trial_is_refused() -> None:
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(UserError, match="not a share"):
            Canary("old", "new", share)
    with pytest.raises(UserError, match="two models"):
        Canary("old", "old", 0.5)
