"""Runs programs that a model wrote, shut in by the operating system, and shows that they are."""

__all__: list[str] = []
