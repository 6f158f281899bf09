"""What the server says when it says no: a status, a kind and a sentence, never a value of what was sent."""

import json

__all__ = ["Gone", "Refused", "error_body"]

KINDS = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    429: "overloaded",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}


class Refused(Exception):
    """A request that is not answered. `retry_after` in seconds is told where trying again makes sense."""

    def __init__(self, status: int, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


class Gone(Exception):
    """The client went away before its answer was ready: nobody is left to answer."""


def error_body(status: int, message: str) -> bytes:
    """The body of every error: {"error": {"type", "message"}}."""
    return json.dumps({"error": {"type": KINDS.get(status, "invalid_request"), "message": message}}).encode()
