"""Rows of the hub: classes become their names, alone and in lists."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.data.hub import hub_rows
from dragoman.data.problems import Row


class Stream:
    """Two rows with their features, as the datasets library streams them."""

    kind = SimpleNamespace(names=["O", "B-person"])
    features: Any = {"label": kind, "tags": SimpleNamespace(feature=kind), "tokens": SimpleNamespace(feature="string")}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield {"label": 1, "tags": [0, 1], "tokens": ["a", "b"]}
        yield {"label": None, "tags": None, "tokens": []}


def test_classes_become_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        load_dataset=lambda path, config, split, streaming: Stream(),
        exceptions=SimpleNamespace(DatasetsError=ValueError),
    )
    monkeypatch.setitem(sys.modules, "datasets", library)
    rows = [row.values for row in hub_rows("owner/name") if isinstance(row, Row)]
    assert rows[0] == {"label": "B-person", "tags": ["O", "B-person"], "tokens": ["a", "b"]}
    assert rows[1] == {"label": None, "tags": None, "tokens": []}
