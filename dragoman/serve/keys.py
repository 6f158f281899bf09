"""Keys of the server: made here, shown once, kept as SHA-256 hashes in a file that only its owner can read.

A key holds 256 random bits, so one plain SHA-256 is enough: there is no guessing that salt or rounds would slow down.
Covered: a stolen file of hashes opens nothing; comparing takes the same time however much of a key is right.
Not covered: a key sent over plain HTTP can be read on the way, so TLS belongs in front of any address but loopback.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from dragoman.core.errors import UserError

__all__ = ["hash_key", "make_key", "matches", "presented", "read_hashes"]

HASH = re.compile(r"[0-9a-f]{64}")
LONGEST = 512  # bytes of a presented key that are looked at


def hash_key(key: bytes) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key).hexdigest()


def make_key(file: Path) -> str:
    """A new key, whose hash is added to `file`; the key itself is kept nowhere.

    Raises UserError when others may read the file, or when it cannot be written.
    """
    key = f"dk-{secrets.token_urlsafe(32)}"
    try:
        if file.exists():
            _private(file)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(hash_key(key.encode()).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise UserError(
            f"the key file {file} cannot be written: {error.strerror}", "name another place: keys=PATH"
        ) from None
    return key


def read_hashes(place: str) -> tuple[str, ...]:
    """The hashes in a file, one a line, or in the environment variable NAME of `env:NAME`, split by blanks or commas.

    Raises UserError when there is none, when a line is no hash, or when others than the owner may read the file.
    """
    if place.startswith("env:"):
        name = place.removeprefix("env:")
        words = re.split(r"[\s,]+", os.environ.get(name, ""))
    else:
        words = _lines(Path(place))
    found = tuple(word for word in words if word)
    if not found:
        raise UserError(f"there is no key in {place}", f"make one with: dragoman serve --new-key keys={_file(place)}")
    if not all(HASH.fullmatch(word) for word in found):
        raise UserError(
            f"{place} holds something that is not the SHA-256 hash of a key",
            f"keep keys out of it; make one with: dragoman serve --new-key keys={_file(place)}",
        )
    return found


def _file(place: str) -> str:
    return "keys.txt" if place.startswith("env:") else place


def _lines(file: Path) -> list[str]:
    try:
        _private(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(
            f"there is no key file {file}", f"make one with: dragoman serve --new-key keys={file}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the key file {file} cannot be read: {error}", "name another one: keys=PATH") from None
    return [line.split("#")[0].strip() for line in lines]


def _private(file: Path) -> None:
    """Refuse a file that somebody else may read or change."""
    mode = file.stat().st_mode
    if stat.S_IMODE(mode) & 0o077:
        raise UserError(
            f"the key file {file} is open to other users (mode {stat.S_IMODE(mode):o})", f"say: chmod 600 {file}"
        )


def presented(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Every key a request shows, as `Authorization: Bearer KEY` or `X-API-Key: KEY`; one in the address is no key."""
    keys = []
    for name, value in headers:
        if name == b"x-api-key":
            keys.append(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            keys.append(key.strip() if scheme.lower() == b"bearer" else b"")
    return keys


def matches(keys: Sequence[bytes], hashes: Sequence[str]) -> bool:
    """Whether exactly one key is shown and it is a known one; every hash is compared, each in constant time.

    Two keys at once are refused: a second header must never be a way around the check of the first.
    """
    digest = hash_key(keys[0][:LONGEST] if keys else b"")
    right = [hmac.compare_digest(digest, known) for known in hashes]
    return len(keys) == 1 and len(keys[0]) <= LONGEST and any(right)
