"""The HTTP server: an assistant behind a small, bounded and closed-by-default API."""

__all__: list[str] = []
