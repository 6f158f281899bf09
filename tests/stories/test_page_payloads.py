"""Nothing that a model, a document or a person wrote ever runs on the chat page, and nothing is fetched for it."""

import json
from pathlib import Path

from tests.browsing import Browser
from tests.page_stub import PASSAGES, Stub, ask, use

# Besides the shared payloads: what Markdown could make of links and images, and what a terminal would obey.
EVIL = (
    "![x](https://evil.example/a.png)",
    "[![x](https://evil.example/b.png)](https://evil.example/c)",
    "![x][1]\n\n[1]: https://evil.example/d.png",
    "<img src=https://evil.example/e.png>",
    "<svg onload=document.title='owned'>",
    "<svg><script>document.title='owned'</script></svg>",
    "<iframe srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    "<iframe src=javascript:alert(1)>",
    "<object data=https://evil.example/f>",
    "<link rel=stylesheet href=https://evil.example/g.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/h'>",
    "<base href=https://evil.example/>",
    "<style>@import 'https://evil.example/i.css'</style>",
    "<form action=https://evil.example/j><input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video src=https://evil.example/k onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/l)",
    "[x](blob:https://evil.example/m)",
    "<javascript:alert(1)>",
    '<https://evil.example/n" onmouseover="alert(1)>',
    '[x](https://evil.example/o "\\"onmouseover=alert(1)")',
    "```<script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
    "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| <script>alert(1)</script> | [x](javascript:alert(1)) |",
    "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07\x1b[2J",
    "\u202ejavascript:alert(1)\u202c [x](https://good.example@evil.example/p)",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)}",
    "# <img src=x onerror=alert(1)>\n> <script>alert(1)</script>\n- [x](javascript:alert(1))",
)


def test_nothing_that_anybody_wrote_runs_or_is_fetched(page: Browser, stub: Stub, shared_data: Path) -> None:
    lines = (shared_data / "injection" / "output_payloads.jsonl").read_text(encoding="utf-8").splitlines()
    payloads = [*(json.loads(line)["payload"] for line in lines), *EVIL]
    assert len(payloads) >= 60
    page.run(
        "window.ran = 0;"
        "for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = () => { window.ran += 1; }; 1"
    )
    for number, payload in enumerate(payloads):
        stub.answers[f"q{number}"] = payload
        stub.kept[f"evil-{number:04d}"] = {"title": payload[:200], "messages": [], "model": payload[:20]}
    ask(page, " ".join(payloads[:5]))  # as a question, too
    for number in range(len(payloads)):
        ask(page, f"q{number}")
        page.run(
            "for (const one of document.querySelectorAll('.turn:last-child .said *')) "
            "for (const kind of one.matches('a, button') ? [] : ['click', 'mouseover', 'focus']) "
            "one.dispatchEvent(new MouseEvent(kind))"
        )
    schemes = page.run(
        "[...new Set([...document.querySelectorAll('.said a')].map((one) => new URL(one.href).protocol))]"
    )
    assert set(schemes) <= {"http:", "https:", "mailto:"} and "https:" in schemes
    use(page, "manual")
    stub.passages = [
        {**PASSAGES[0], "number": number, "source": payload, "path": [payload], "text": payload, "page": None}
        for number, payload in enumerate(payloads, 1)
    ]
    stub.answers["all"] = " ".join(f"[{number}]" for number in range(1, len(payloads) + 1))
    ask(page, "all")
    page.run("document.querySelectorAll('.turn:last-child .said .chip').forEach((one) => one.click())")
    page.press("Escape", 27)
    page.run("location.hash = '#<img src=x onerror=alert(1)>', 1")
    assert page.run("window.ran") == 0
    assert (
        page.count(
            "body script, body img, body iframe, body object, body embed, body link, body meta, body style, body base"
        )
        == 0
    )
    assert page.count("body [onerror], body [onload], body [onclick], body [style*='expression']") == 0
    page.go(page.run("location.origin") + "/")  # the titles of what was kept
    page.until(f"document.querySelectorAll('#conversations li').length >= {len(payloads)}")
    assert page.count("#side script, #side img, #side iframe, #side svg[onload]") == 0
    page.run("document.querySelector('#conversations [data-id=evil-0000] .open').click()")
    assert "owned" not in page.run("document.title")
