"""Which addresses of the network belong to the public: none of this machine, of its own network, or inside another."""

import ipaddress
import re
from dataclasses import dataclass

__all__ = ["Target", "is_public", "read_target"]

LONGEST = 2000  # characters of an address
SHAPE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[!$%&'()*+,./:;=@\w~-]*)?(?P<query>\?[!$%&'()*+,./:;=?@\w~-]*)?(?:#.*)?",
    re.ASCII,
)
PORTS = {"http": 80, "https": 443}
# What Python's `is_global` lets through although it leads elsewhere: to many, or to an IPv4 address that it wraps.
REFUSED_4 = tuple(
    ipaddress.IPv4Network(one)
    for one in ("192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4", "192.88.99.0/24", "168.63.129.16/32")
)
REFUSED_6 = tuple(
    ipaddress.IPv6Network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
GLOBAL_6 = ipaddress.IPv6Network("2000::/3")  # all that is given out to networks; NAT64 and mapped IPv4 lie outside


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart in the one way in which everybody reads it."""

    scheme: str
    host: str
    port: int
    path: str
    "with the query"

    @property
    def place(self) -> str:
        """The host, with its port where that is not the usual one."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The whole of it."""
        return f"{self.scheme}://{self.place}{self.path}"


def read_target(address: str) -> Target | None:
    """An address taken apart; None where it is none, or two readers could read it differently.

    So is one with a user, a backslash, white space, a character outside ASCII, capital letters in the host, or a
    number in the place of a name: `127.1`, `2130706433` and `0x7f.1` are all 127.0.0.1 to some.
    """
    found = SHAPE.fullmatch(address) if len(address) <= LONGEST else None
    if found is None:
        return None
    last = found["host"].rsplit(".", 1)[-1]
    if len(found["host"]) > 253 or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return None
    port = int(found["port"] or PORTS[found["scheme"]])
    if port >= 1 << 16:
        return None
    return Target(found["scheme"], found["host"], port, (found["path"] or "/") + (found["query"] or ""))


def is_public(address: str) -> bool:
    """Whether a numeric address is one machine somewhere on the public network, and nothing else is wrapped in it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in REFUSED_4)
    return found.scope_id is None and found in GLOBAL_6 and not any(found in network for network in REFUSED_6)
