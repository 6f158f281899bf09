"""Models of a server by name: they come and go, and the last one stays."""

import json

import pytest

from dragoman.serve.refused import Refused
from dragoman.serve.served import Catalogue, Lineage, Served


def served(name: str) -> Served:
    return Served(name, "chat", Lineage(run="run-1", verdict="met", project="Ärzte"))


def test_the_first_one_answers_where_none_is_named() -> None:
    catalogue = Catalogue([served("base"), served("tuned")])
    assert catalogue.find("").name == "base"
    assert catalogue.find("tuned").name == "tuned"
    with pytest.raises(Refused) as refused:
        catalogue.find("other")
    assert refused.value.status == 404
    assert "other" not in str(refused.value)


def test_models_come_and_go_and_the_last_one_stays() -> None:
    catalogue = Catalogue([served("base")])
    catalogue.put(served("tuned"))
    assert [one.name for one in catalogue] == ["base", "tuned"]
    catalogue.take("base")
    catalogue.take("nobody")
    catalogue.take("tuned")
    assert [one.name for one in catalogue] == ["tuned"]


def test_names_are_apart() -> None:
    for wrong in ([], [served("a"), served("a")]):
        with pytest.raises(ValueError, match="name of its own"):
            Catalogue(wrong)


def test_the_lineage_fits_a_header() -> None:
    header = served("base").lineage.header
    assert header.isascii()
    assert json.loads(header) == {"project": "Ärzte", "run": "run-1", "verdict": "met"}
