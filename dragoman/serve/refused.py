"""What the server says when it says no, in the shape of OpenAI's API: never a value of what was sent."""

import json

__all__ = ["Gone", "Refused", "error_body"]

KINDS = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
    504: "server_error",
}
CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
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
    """A request that is not answered. `retry_after` in seconds is told where trying again makes sense; `param` is the
    field that is wrong; `code` is what a program goes by, where the status does not say it all."""

    def __init__(self, status: int, message: str, retry_after: int = 0, param: str = "", code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.param = param
        self.code = code


class Gone(Exception):
    """The client went away before its answer was ready: nobody is left to answer."""


def error_body(status: int, message: str, param: str = "", code: str = "") -> bytes:
    """The body of every error: {"error": {"message", "type", "param", "code"}}."""
    kind = KINDS.get(status, "invalid_request_error")
    error = {"message": message, "type": kind, "param": param or None, "code": code or CODES.get(status)}
    return json.dumps({"error": error}).encode()
