"""A table has no empty column and tells an outcome by sign and word."""

from dragoman.report.grid import Cell, grid, outcome


def test_empty_columns_are_left_out() -> None:
    found = grid("c", ("a", "b", "d"), [[Cell("1"), Cell("–"), Cell("")], [Cell("2"), Cell(""), Cell("x")]])
    assert found is not None
    assert found.headings == ("a", "d")
    assert len(found.rows[0]) == 2
    assert grid("c", ("a",), []) is None


def test_outcomes() -> None:
    assert outcome("met") == Cell("✓ met", tone="met")
    assert outcome("unproven") == Cell("≈ unproven", tone="unproven")
    assert outcome("missed") == Cell("✗ missed", tone="missed")
    assert outcome("odd") == Cell("odd")
