"""Measuring an assistant: figures with intervals, paired comparisons, the stop rule and the verdict."""

__all__: list[str] = []
