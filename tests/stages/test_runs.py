"""`dragoman runs` lists what was done, and shows one run with its settings, inputs and figures."""

from pathlib import Path

from tests.command import dragoman


def test_the_list_says_what_each_measurement_was_of(judged: Path) -> None:
    lines = dragoman("runs").out.splitlines()
    judgement = next(line for line in lines if line.strip().startswith("judge-"))
    assert "lora-" in judgement
    assert "finished" in judgement
    assert "accuracy " in judgement


def test_one_run_shows_its_settings_and_inputs(judged: Path) -> None:
    told = dragoman("runs", "lora").whole
    assert "input parts prepare-" in told
    assert "tuning" in told
    assert dragoman("runs", "lora", "--json").json["settings"]["tuning"]["rank"] == 8
