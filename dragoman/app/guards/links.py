"""Takes links and images that lead elsewhere out of an answer: an address can carry away what stands in a prompt."""

import html
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from urllib.parse import unquote, urlsplit

from dragoman.core.hidden import hidden_text

__all__ = ["Cleared", "clear_links", "host_of", "hosts_of"]

REMOVED = "[link removed]"
PASSES = 10
# What a scheme that needs no slashes may be; `note: this` is no address.
ACTIVE = re.compile(r"(?i)(?:javascript|vbscript|\b(?:data|file|blob|about|mailto|tel|sms))\s*:\s*(?=\S)[^\s<>)\]]*")
TAG = re.compile(r"<[/!?]?[a-zA-Z][^<>]*(?:>|$)|<!--.*?(?:-->|$)", re.DOTALL)
IMAGE = re.compile(r"!\[([^\[\]]*)\]\s?\(\s*<?([^()<>\s]*(?:\([^()\s]*\)[^()<>\s]*)*)>?[^()]*\)?")
LINK = re.compile(r"\[([^\[\]]*)\]\s?\(\s*<?([^()<>\s]*(?:\([^()\s]*\)[^()<>\s]*)*)>?[^()]*\)?")
DEFINED = re.compile(r"(?m)^[ \t>]{0,8}\[([^\[\]]+)\]:\s*<?(\S+?)>?(?:\s+[\"'(].*)?$")
NAMED_IMAGE = re.compile(r"!\[([^\[\]]*)\](?:\s?\[([^\[\]]*)\])?")
BARE = re.compile(
    r"(?i)(?:\b[a-z][a-z0-9+.-]{1,20}:[/\\]{1,3}|(?<![\w:])[/\\]{2}(?=[\w.-]+\.\w)|\bwww\d{0,2}\.)[^\s<>\"'`|)\]]+"
)
DOMAIN = re.compile(
    r"(?i)(?<![\w.@/-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?:com|net|org|info|biz|xyz|top|ru|cn|io|ai|app|dev|co|me|tk|ml|ga|cf|gq|site|online|shop|club|link|live|click|zip"
    r"|mov|example|test|invalid|onion)\b(?![.-]?\w)(?:[:/?#][^\s<>\"'`|)\]]*)?"
)
TRAILING = ".,;:!?*_~'\")]}"


@dataclass(frozen=True, slots=True)
class Cleared:
    """An answer without the addresses that lead elsewhere."""

    text: str
    removed: tuple[str, ...] = ()
    "the addresses that were taken out, in their order"


def host_of(address: str) -> str:
    """The host an address leads to, in lower case; empty where a browser and we could read it differently.

    So is every address with a user, a backslash, a control character, an escaped or non-ASCII host, or a number that
    is not written as an IP address is.
    """
    address = html.unescape(address).strip()
    if re.match(r"(?i)www\d{0,2}\.", address):
        address = f"https://{address}"
    elif re.match(r"//\w", address):
        address = f"https:{address}"
    elif "://" not in address[:12]:
        address = f"https://{address}"
    if not re.match(r"(?i)https?://[a-z0-9[]", address) or re.search(r"[\\\s\x00-\x1f\x7f]", address):
        return ""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if "@" in parts.netloc or "%" in parts.netloc or not host.isascii():
        return ""
    host = host.rstrip(".").lower()
    if re.fullmatch(r"[0-9.]+|.*\.?0x[0-9a-f]+|\[.*", host) or ":" in host:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            return ""
    return host if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", host) else ""


def hosts_of(sources: Iterable[str]) -> frozenset[str]:
    """The hosts of sources that are addresses; a file's name has none. What documents say counts for nothing here."""
    addresses = (source for source in sources if re.match(r"(?i)https?://", source))
    return frozenset(host for host in map(host_of, addresses) if host)


def clear_links(text: str, hosts: Iterable[str] = ()) -> Cleared:
    """The answer as Markdown without HTML tags, images and addresses, but those whose host is one of `hosts`.

    A link's words stay. An image is loaded without anybody's click, and what follows `?` or `#` carries data away: an
    image stays only with neither. Addresses that are no http, that two readers read differently, and names of hosts
    without a scheme (with a common ending) are foreign too. Hidden characters are taken out first.
    """
    allowed = frozenset(host.lower().rstrip(".") for host in hosts)
    removed: list[str] = []

    def at_home(address: str, image: bool = False) -> bool:
        plain = unquote(html.unescape(address))
        host = host_of(address)
        good = bool(host) and host in allowed and not (image and re.search(r"[?#]", plain))
        if not good:
            removed.append(address)
        return good

    def link(found: "re.Match[str]") -> str:
        inside = found[2].startswith("#") or not found[2]
        return found[0] if inside or at_home(found[2]) else found[1]

    def image(found: "re.Match[str]") -> str:
        return found[0] if at_home(found[2], image=True) else found[1]

    def bare(found: "re.Match[str]") -> str:
        address = found[0].rstrip(TRAILING)
        return found[0] if at_home(address) else REMOVED + found[0][len(address) :]

    def named(found: "re.Match[str]") -> str:
        removed.append(found[0])
        return found[1] or (found[2] or "")

    def active(found: "re.Match[str]") -> str:
        removed.append(found[0])
        return REMOVED

    def tag(found: "re.Match[str]") -> str:
        if re.fullmatch(r"(?i)<https?://[^\s<>]*>", found[0]):
            return found[0] if at_home(found[0][1:-1]) else REMOVED
        removed.append(found[0])
        return ""

    text = hidden_text(text).text
    for number in count():  # what is taken out may bring together what was apart: `<scr<b>ipt>`
        before = text
        if number >= PASSES:  # nobody nests so deep but to keep us busy
            text = re.sub(r"[<>\[\]]", "", text)
        text = TAG.sub(tag, text)
        text = IMAGE.sub(image, text)
        text = NAMED_IMAGE.sub(lambda at: at[0] if IMAGE.match(at.string, at.start()) else named(at), text)
        text = LINK.sub(link, text)
        text = DEFINED.sub(lambda at: at[0] if at_home(at[2]) else "", text)
        text = ACTIVE.sub(active, text)
        text = BARE.sub(bare, text)
        text = DOMAIN.sub(bare, text)
        if text == before:
            break
    return Cleared(text, tuple(dict.fromkeys(removed)))
