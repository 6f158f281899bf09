"""What an assistant may do besides writing: tools with typed arguments."""

__all__: list[str] = []
