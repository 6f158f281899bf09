"""A person indexes documents into a database, asks them, changes them, and proves the index, by its name alone."""

import json
from pathlib import Path

import pytest

from dragoman.cli import main
from dragoman.rag.stores.open import open_store
from tests.rag.conftest import KINDS, NEEDS

TOWER = "# The tower\n\nThe tower was built in 1889 by Gustave Eiffel. It is {} metres tall.\n"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object], str]:
    """The exit code of a command, its result, and what stands on standard error."""
    code = main([*words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]) if out.strip() else {}, err


@pytest.mark.parametrize("kind", KINDS)
def test_the_verbs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    pytest.importorskip(NEEDS[kind])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tower.md").write_text(TOWER.format(330))
    (tmp_path / "docs" / "boats.md").write_text("# Boats\n\nThe red boat leaves at nine.\n")
    # One of the three with an encoder: the vectors go all the way.
    embedder = "builtin:minilm" if kind == "pgvector" else "none"
    place = f"{request.getfixturevalue('postgres')}#verbs" if kind == "pgvector" else "held"
    name = f"index={kind}:{place}"
    assert main(["ask", "How tall is the tower?", name]) == 2
    assert "dragoman index DOCUMENTS" in capsys.readouterr().err
    code, told, _ = said(capsys, "index", "docs", name, f"embedder={embedder}")
    assert code == 0 and told["pieces"] == 2
    threshold = () if kind == "pgvector" else ("how.threshold=-1",)
    code, told, _ = said(capsys, "ask", "How tall is the tower?", name, *threshold)
    assert code == 0 and "330 metres" in str(told["answers"])
    (tmp_path / "docs" / "tower.md").write_text(TOWER.format(324))
    code, told, _ = said(capsys, "index", "verify", name)
    assert code == 1 and told["problems"] == ["tower.md: has changed since"]
    code, told, _ = said(capsys, "index", "docs", name, f"embedder={embedder}")
    assert [line["state"] for line in told["documents"]] == ["unchanged", "changed"]  # type: ignore[attr-defined]
    code, told, _ = said(capsys, "ask", "-c", "And how tall is it?", name, *threshold)
    assert code == 0 and "324 metres" in str(told["answers"])
    assert said(capsys, "index", "verify", name)[0] == 0
    code, _, err = said(capsys, "index", "docs", name, f"embedder={'none' if embedder != 'none' else 'builtin:minilm'}")
    assert code == 2 and "from its beginning on" in err
    store = open_store(f"{kind}:{place}")
    assert {chunk.source for chunk in store.scan()} == {"boats.md", "tower.md"}
    store.close()
