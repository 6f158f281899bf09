"""Documents found again: one file that holds them, by vector and by words, fused."""

__all__: list[str] = []
