"""docs/commands.md says what the code does: it is generated, and this says when it is stale."""

from pathlib import Path

from scripts.commands import TARGET, commands


def test_commands_md_is_fresh(root: Path) -> None:
    assert root / "docs" / "commands.md" == TARGET
    assert TARGET.read_text(encoding="utf-8") == commands(), "stale: make docs writes it anew"


def test_every_verb_and_plug_in_stands_in_it() -> None:
    from dragoman.cli import VERBS
    from dragoman.train.doors import OBJECTIVES, TUNINGS

    text = TARGET.read_text(encoding="utf-8")
    assert all(f"## dragoman {verb}\n" in text for verb in VERBS)
    for registry in (OBJECTIVES, TUNINGS):
        assert all(f"### {registry.noun}={name}\n" in text for name in registry.names())
