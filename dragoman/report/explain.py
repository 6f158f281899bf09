"""Builds the page that explains a model: the trace of a text going through it becomes one HTML file that is alive."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["SCRIPTS", "render"]

# In the order in which one stands on the other; `run` starts them.
SCRIPTS = (
    "start",
    "sampling",
    "ribbon",
    "journey",
    "tokens",
    "embeddings",
    "positions",
    "attention",
    "lens",
    "next",
    "masked",
    "run",
)


def render(trace: Mapping[str, Any]) -> str:
    """The page for a trace as `nn.trace.trace` makes it: UTF-8 HTML that fetches nothing and runs no script but ours.

    The trace lies in the page as JSON in which no tag can open or close; scripts write it into the page as text only,
    and the page's policy names the hash of its one script. Sections whose part of the trace is missing are left out.
    """
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    loader = PackageLoader("dragoman.report", "templates")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template("explain/page.html").render(
        {
            "trace": trace,
            "tokens": len(trace["tokens"]),
            "style": Markup(_part("style.css")),  # ours: no text of the trace is in it
            "script": Markup(script),
            "digest": digest,
            "data": Markup(_harmless(trace)),
        }
    )


def _script() -> str:
    """All scripts as one function, so that nothing of theirs is global; exactly what stands between the tags."""
    parts = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n{parts}\n}})();\n'


def _part(name: str) -> str:
    return files("dragoman.report").joinpath("templates", "explain", name).read_text(encoding="utf-8")


def _harmless(trace: Mapping[str, Any]) -> str:
    """The trace as JSON that HTML reads as one run of text: every <, > and & is written as its number."""
    text = json.dumps(trace, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
