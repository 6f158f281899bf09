"""The API told as an OpenAPI document: what may be sent, within which bounds, and every status that may come back."""

from typing import Any

from dragoman.serve.limits import Limits

__all__ = ["described"]

ALWAYS = {400, 401, 403, 405, 408, 413, 415, 429, 500, 503}
TEXT: dict[str, Any] = {"type": "string", "minLength": 1}


def described(limits: Limits) -> dict[str, Any]:
    """The document, in the form of OpenAPI 3.1."""
    posts = {
        "/v1/chat/completions": (_chat(limits), ["messages"]),
        "/v1/completions": (_complete(limits), ["prompt"]),
        "/v1/embeddings": (
            {"model": TEXT, "input": _texts(limits), "encoding_format": {"enum": ["float", "base64"]}},
            ["input"],
        ),
        "/v1/classify": ({"model": TEXT, "input": _text(limits.characters)}, ["input"]),
        "/v1/tag": ({"model": TEXT, "input": _text(limits.characters)}, ["input"]),
        "/v1/ask": (
            {"model": TEXT, "question": _text(limits.characters), "messages": _messages(limits), "stream": _FLAG},
            ["question"],
        ),
        "/v1/feedback": (
            {"id": TEXT, "thumb": {"enum": ["up", "down"]}, "correction": {"type": "string"}, "comment": _ANY_TEXT},
            ["id"],
        ),
    }
    paths: dict[str, Any] = {path: {"post": _post(*told)} for path, told in posts.items()}
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models", "/v1/conversations"):
        paths[path] = {"get": _operation()}
    paths["/v1/models/{id}"] = {"get": _operation(), "parameters": [_NAME]}
    stored = {"title": {"type": "string", "maxLength": 300}, "model": TEXT, "messages": _messages(limits)}
    paths["/v1/conversations/{id}"] = {
        "parameters": [_NAME],
        "get": _operation(),
        "put": _post(stored, ["messages"]),
        "delete": _operation(),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dragoman", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}, {}],
    }


_FLAG = {"type": "boolean"}
_ANY_TEXT = {"type": "string"}
_NAME = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _operation() -> dict[str, Any]:
    known = sorted({200, 404} | ALWAYS)
    return {"responses": {str(status): {"description": f"status {status}"} for status in known}}


def _post(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": required, "additionalProperties": False}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    statuses = sorted({200, 404, 504} | ALWAYS)
    responses = {str(status): {"description": f"status {status}"} for status in statuses}
    return {"requestBody": body, "responses": responses}


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _texts(limits: Limits) -> dict[str, Any]:
    one = _text(limits.characters)
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": limits.texts}]}


def _messages(limits: Limits) -> dict[str, Any]:
    message = {
        "type": "object",
        "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": _ANY_TEXT},
        "required": ["role", "content"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": message, "minItems": 1, "maxItems": limits.messages}


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _drawing(limits: Limits) -> dict[str, Any]:
    return {
        "model": TEXT,
        "temperature": _number(0, 2),
        "top_p": _number(0, 1),
        "top_k": _whole(-1, 2**31),
        "min_p": _number(0, 1),
        "max_tokens": _whole(1, limits.tokens),
        "n": _whole(1, limits.answers),
        "seed": _whole(-(2**63), 2**63 - 1),
        "stop": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "maxItems": 16}]},
        "frequency_penalty": _number(-2, 2),
        "presence_penalty": _number(-2, 2),
        "repetition_penalty": _number(0.01, 100),
        "logit_bias": {"type": "object", "additionalProperties": _number(-100, 100)},
        "stream": _FLAG,
        "user": _ANY_TEXT,
    }


def _chat(limits: Limits) -> dict[str, Any]:
    shape = {"type": "object", "properties": {"type": {"enum": ["text", "json_object"]}}, "required": ["type"]}
    told = {"logprobs": _FLAG, "top_logprobs": _whole(0, 20), "response_format": shape}
    return {"messages": _messages(limits), **_drawing(limits), **told}


def _complete(limits: Limits) -> dict[str, Any]:
    prompt = _text(limits.prompt_characters)
    return {"prompt": {"anyOf": [prompt, {"type": "array", "items": prompt, "maxItems": 16}]}, **_drawing(limits)}
