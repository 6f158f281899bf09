"""Figures of quality: measure one answer, combine many; one frozen dataclass a file, found by its name."""

__all__: list[str] = []
