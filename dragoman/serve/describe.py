"""The API told as an OpenAPI document: what may be sent, within which bounds, and every status that may come back."""

from collections.abc import Sequence
from typing import Any

from dragoman.serve.limits import Limits

__all__ = ["described"]

ALWAYS = {400, 401, 403, 405, 408, 413, 415, 429, 500, 503}
TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
FLAG: dict[str, Any] = {"type": "boolean"}
ANY_TEXT: dict[str, Any] = {"type": "string"}
OBJECT: dict[str, Any] = {"type": "object"}


def described(limits: Limits, models: Sequence[str]) -> dict[str, Any]:
    """The document, in the form of OpenAPI 3.1. `models` are the names that a request may say."""
    model = {"model": {"enum": list(models)}}
    posts = {
        "/v1/chat/completions": (_chat(limits), ["messages"]),
        "/v1/completions": (_complete(limits), ["prompt"]),
        "/v1/embeddings": (_embed(limits), ["input"]),
        "/v1/classify": (_label(limits), []),
        "/v1/tag": (_label(limits), []),
        "/v1/ask": (
            {"question": _text(limits.characters), "messages": _messages(limits), "stream": FLAG, **_unused()},
            ["question"],
        ),
    }
    paths: dict[str, Any] = {path: {"post": _post(fields | model, must)} for path, (fields, must) in posts.items()}
    thumb = {"enum": ["up", "down"]}
    noted = {"id": TEXT, "thumb": thumb, "correction": ANY_TEXT, "comment": {"type": "string", "maxLength": 4000}}
    paths["/v1/feedback"] = {"post": _post(noted, ["id", "thumb"])}
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models", "/v1/conversations"):
        paths[path] = {"get": _operation()}
    paths["/v1/models/{id}"] = {"get": _operation(), "parameters": [_name({"enum": list(models)})]}
    stored = {"title": {"type": "string", "maxLength": 300}, "model": TEXT, "messages": _stored()}
    paths["/v1/conversations/{id}"] = {
        "parameters": [_name({"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"})],
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


def _name(schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": schema}


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


def _several(one: dict[str, Any], most: int) -> dict[str, Any]:
    """A text, or a list of them."""
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": most}]}


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


def _share() -> dict[str, Any]:
    return {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _closed(fields: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


def _unused() -> dict[str, Any]:
    """What may be sent and changes nothing."""
    return {"user": ANY_TEXT, "metadata": OBJECT}


def _messages(limits: Limits) -> dict[str, Any]:
    part = _closed({"type": {"enum": ["text"]}, "text": ANY_TEXT}, ["type", "text"])
    content = {"anyOf": [ANY_TEXT, {"type": "array", "items": part}]}
    function = _closed({"name": TEXT, "arguments": ANY_TEXT}, ["name"])
    call = _closed({"id": ANY_TEXT, "type": {"enum": ["function"]}, "function": function}, ["function"])
    asked = {"role": {"enum": ["system", "developer", "user", "tool"]}, "content": content, "tool_call_id": ANY_TEXT}
    said = {
        "role": {"enum": ["assistant"]},
        "content": content,
        "tool_calls": {"type": "array", "items": call, "minItems": 1},
    }
    items = {"anyOf": [_closed(asked, ["role", "content"]), _closed(said, ["role", "content"])]}
    return {"type": "array", "items": items, "minItems": 1, "maxItems": limits.messages}


def _stored() -> dict[str, Any]:
    said = {"role": {"enum": ["system", "user", "assistant"]}, "content": ANY_TEXT, "id": ANY_TEXT}
    return {"type": "array", "items": _closed(said, ["role", "content"]), "maxItems": 2000}


def _drawing(limits: Limits) -> dict[str, Any]:
    return {
        "temperature": {"anyOf": [{"const": 0}, _number(0.01, 2)]},
        "top_p": _share(),
        "top_k": _whole(-1, 2**31),
        "min_p": _number(0, 1),
        "typical_p": _share(),
        "max_tokens": _whole(1, limits.tokens),
        "max_completion_tokens": _whole(1, limits.tokens),
        "min_tokens": _whole(0, limits.tokens),
        "n": _whole(1, limits.answers),
        "seed": _whole(-(2**63), 2**63 - 1),
        "stop": _several(_text(256), 16),
        "frequency_penalty": _number(-2, 2),
        "presence_penalty": _number(-2, 2),
        "repetition_penalty": _number(0.01, 100),
        "logit_bias": {"type": "object", "additionalProperties": _number(-100, 100)},
        "regex": ANY_TEXT,
        "choices": _several(_text(4096), 1024),
        "stream": FLAG,
        "stream_options": _closed({"include_usage": FLAG}),
        **_unused(),
    }


def _chat(limits: Limits) -> dict[str, Any]:
    schema = _closed({"name": ANY_TEXT, "schema": OBJECT, "strict": FLAG}, ["schema"])
    shape = _closed({"type": {"enum": ["text", "json_object", "json_schema"]}, "json_schema": schema}, ["type"])
    function = _closed(
        {"name": _text(64), "description": ANY_TEXT, "parameters": OBJECT, "strict": FLAG}, ["name", "parameters"]
    )
    tool = _closed({"type": {"enum": ["function"]}, "function": function}, ["type", "function"])
    one = _closed({"type": {"enum": ["function"]}, "function": _closed({"name": _text(64)}, ["name"])}, ["function"])
    return {
        "messages": _messages(limits),
        **_drawing(limits),
        "logprobs": FLAG,
        "top_logprobs": _whole(0, 20),
        "response_format": shape,
        "tools": {"type": "array", "items": tool, "maxItems": 64},
        "tool_choice": {"anyOf": [{"enum": ["auto", "none", "required"]}, one]},
        "parallel_tool_calls": FLAG,
        "store": {"const": False},
    }


def _complete(limits: Limits) -> dict[str, Any]:
    prompt = _several(_text(limits.prompt_characters), 16)
    unused = {"echo": {"const": False}, "best_of": {"const": 1}, "suffix": {"const": ""}}
    return {"prompt": prompt, **_drawing(limits), "logprobs": _whole(0, 20), **unused}


def _embed(limits: Limits) -> dict[str, Any]:
    texts = _several(_text(limits.characters), limits.texts)
    return {
        "input": texts,
        "encoding_format": {"enum": ["float", "base64"]},
        "dimensions": _whole(1, 65_536),
        **_unused(),
    }


def _label(limits: Limits) -> dict[str, Any]:
    one = _text(limits.characters)
    return {"input": one, "inputs": {"type": "array", "items": one, "minItems": 1, "maxItems": limits.texts}}
