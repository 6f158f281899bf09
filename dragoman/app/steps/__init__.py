"""The steps of an assistant, one a file."""

__all__: list[str] = []
