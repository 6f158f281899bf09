"""Every error has the shape that OpenAI's clients read."""

import json

import pytest

from dragoman.serve.refused import CODES, Refused, error_body


@pytest.mark.parametrize("status", CODES)
def test_an_error_has_one_shape(status: int) -> None:
    error = json.loads(error_body(status, "said", "field"))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["message"], error["param"]) == ("said", "field")
    assert error["type"].endswith("_error")
    assert (error["type"] == "server_error") is (status >= 500)
    assert json.loads(error_body(status, "said", code="own"))["error"]["code"] == "own"


def test_no_field_is_null() -> None:
    assert json.loads(error_body(400, "said"))["error"]["param"] is None
    assert Refused(429, "wait", 3).retry_after == 3
