"""The application: a turn, the steps it goes through, and the assistant that is measured and served."""

__all__: list[str] = []
