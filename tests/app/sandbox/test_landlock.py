"""Each version of Landlock is asked for the rights it knows, and never for one that it does not."""

import pytest

from dragoman.app.sandbox.landlock import READ_FILE, READ_FOLDER, handled, rules_of


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes"),
    [(1, 13, 0, 0), (2, 14, 0, 0), (3, 15, 0, 0), (4, 15, 2, 0), (5, 16, 2, 0), (6, 16, 2, 2), (9, 16, 2, 2)],
)
def test_rights_by_version(version: int, files: int, network: int, scopes: int) -> None:
    found = handled(version)
    assert [value.bit_count() for value in found.values()] == [files, network, scopes]


def test_only_reading_is_given_back() -> None:
    told = rules_of(3, ("/a",), ("/b",))
    assert told["rules"] == [["/a", READ_FILE | READ_FOLDER], ["/b", READ_FILE]]
    assert told["version"] == 3
