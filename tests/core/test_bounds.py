"""A chat template makes no more than fits, whatever it is made of, and an honest one does not notice."""

import resource
import sys
from collections.abc import Iterator

import pytest

from dragoman.core.bounds import MOST, weigh
from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.chat import Template

LOOP = "{% set ns = namespace(t='xxxxxxxxxxxxxxxx', l=[]) %}{% for i in range(4000) %}BODY{% endfor %}{{ ns.t }}"
GREEDY = [
    '{{ "x".ljust(3000000000) }}',
    '{{ "x"|attr("center")(3000000000) }}',
    '{{ "x".rjust(3000000000)|length }}',
    '{{ "x".zfill(3000000000) }}',
    '{{ "\t".expandtabs(3000000000) }}',
    '{{ (1).to_bytes(3000000000, "big") }}',
    '{{ "%2000000000d" % 1 }}',
    '{{ "%*d" % (2000000000, 1) }}',
    '{{ "%2000000000d"|format(1) }}',
    '{{ "{:>2000000000}".format(1) }}',
    '{{ "x"|center(3000000000) }}',
    '{{ "x"|indent(3000000000, true) }}',
    "{{ messages|tojson(indent=3000000000) }}",
    '{{ ["x" * 8000000] * 1000000 }}',
    '{{ (["x" * 8000] * 100000)|join }}',
    '{{ "".join(["x" * 8000] * 100000) }}',
    '{{ "".join((["x"] * 100000)|map("center", 80000)) }}',
    '{{ (["x"] * 100000)|map("center", 80000)|list|length }}',
    '{{ ("x" * 100000)|replace("x", "y" * 100000) }}',
    '{{ ("x" * 100000).replace("x", "y" * 100000) }}',
    '{{ ("x" * 100000)|wordwrap(1, true, "y" * 100000) }}',
    "{{ lipsum(1000000) }}",
    LOOP.replace("BODY", "{% set ns.t = ns.t ~ ns.t %}"),
    LOOP.replace("BODY", "{% set ns.t = ns.t + ns.t %}"),
    LOOP.replace("BODY", "{% set ns.t = '%s%s' % (ns.t, ns.t) %}"),
    LOOP.replace("BODY", "{% set ns.t %}{{ ns.t }}{{ ns.t }}{% endset %}"),
    LOOP.replace("BODY", "{% set ns.l = [ns.l, 'x' * 8000000] %}"),
    LOOP.replace("BODY", "{% set ns.l = [ns.l, 'x'|center(800000)] %}"),
    LOOP.replace("BODY", "{% set ns.l = [ns.l, ('x' * 800000)|upper] %}"),
    LOOP.replace("BODY", "{% set ns.l = [ns.l, ('x' * 800000).upper()] %}"),
    "{% set ns = namespace(t=3) %}{% for i in range(60) %}{% set ns.t = ns.t * ns.t %}{% endfor %}{{ ns.t }}",
]


@pytest.fixture
def little_memory() -> Iterator[None]:
    """No more than 3 GB above what is in use, so that a hole is a MemoryError and not a machine that stands still."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("source", GREEDY)
def test_no_template_fills_the_memory(source: str, little_memory: None) -> None:
    with pytest.raises(UserError, match=r"the chat template (cannot be used|refuses)") as told:
        Template(source, {}, []).sections([Message("user", "hello")])
    assert "MemoryError" not in told.value.problem


def test_an_honest_template_does_not_notice() -> None:
    source = (
        "{{ 'a' ~ 1 ~ none }}{{ '%s-%05d' % ('x', 7) }}{{ '{}:{:>4}'.format('k', 2) }}{{ [1, 2]|join(', ') }}"
        "{{ 'x'.ljust(3) }}|{{ 'ab'|replace('a', 'c')|upper|center(4) }}|{{ 'a\nb'|indent(2) }}{{ 2 * 3 + 1 }}"
        "{{ ['b', 'a']|sort|list }}{{ {'k': 'ü'}|tojson }}{{ messages|map(attribute='role')|join }}{{ missing }}"
        "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}{% set t %}in{% endset %}{{ t * 2 }}"
        "{{ ','.join(messages[0].keys()) }}{{ 'A-b'.split('-')[-1].title() }}{{ 7 // 2 }}"
        "{{ '%d' % 3 }}{{ 'abc'|first }}"
    )
    [text] = Template(source, {}, []).sections([Message("user", "hello")])
    assert text == ("a1Nonex-00007k:   21, 2x  | CB |a\n  b7['a', 'b']{\"k\": \"ü\"}user1ininrole,contentB33a")


def test_a_weight_holds_all_that_lies_inside() -> None:
    assert weigh("abc") == 4
    assert weigh(["ab", {"k": ("v",)}]) > 4
    nested: list[object] = ["x" * 100]
    for _ in range(60):
        nested = [nested, nested]
    assert weigh(nested) > MOST
