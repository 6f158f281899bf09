"""Keys of the server: made here, shown once, kept as SHA-256 hashes in a file that only its owner can read.

A line of the file is a hash and what its key may do:

    HASH name=alice scopes=chat,ask requests_per_minute=60 tokens_per_minute=10000 tokens_per_day=90000 until=2027-01-31

What is left out is not bounded; a key without a name is called by the first eight letters of its hash. `until` is the
last day, in UTC. A key holds 256 random bits, so one plain SHA-256 is enough: there is no guessing that salt or rounds
would slow down.

Covered: a stolen file of hashes opens nothing; comparing takes the same time however much of a key is right; a revoked
key is out within a second. Not covered: a key sent over plain HTTP can be read on the way, so TLS belongs in front of
any address but loopback.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dragoman.core.disk import alone, beside, real
from dragoman.core.errors import UserError

__all__ = [
    "SCOPES",
    "Key",
    "Keyring",
    "hash_key",
    "list_keys",
    "make_key",
    "matched",
    "presented",
    "read_keys",
    "revoke",
]

SCOPES = ("chat", "complete", "embed", "classify", "tag", "ask", "feedback", "history", "metrics", "models")
HASH = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
COUNTS = ("requests_per_minute", "tokens_per_minute", "tokens_per_day")
COUNT = re.compile(r"[1-9][0-9]{0,14}")
LONGEST = 512  # bytes of a presented key that are looked at
LOOK = 1.0  # seconds between two looks at the file


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key, without the key."""

    hash: str
    name: str = ""
    "whose it is: what it makes belongs to this name; a name made again takes up what the one before left"
    scopes: tuple[str, ...] = ()
    "what it opens; all where there are none"
    requests_per_minute: int = 0
    "0 is without a bound, here and below"
    tokens_per_minute: int = 0
    tokens_per_day: int = 0
    until: date | None = None
    "the last day on which it opens anything"

    def may(self, scope: str) -> bool:
        """Whether it opens what needs this scope."""
        return not self.scopes or scope in self.scopes

    def is_over(self, now: float) -> bool:
        """Whether its last day is over; `now` in seconds since 1970."""
        return self.until is not None and datetime.fromtimestamp(now, UTC).date() > self.until

    @property
    def line(self) -> str:
        """As it stands in the file."""
        words = [self.hash, f"name={self.name}"]
        words += [f"scopes={','.join(self.scopes)}"] if self.scopes else []
        words += [f"{name}={getattr(self, name)}" for name in COUNTS if getattr(self, name)]
        words += [f"until={self.until.isoformat()}"] if self.until else []
        return " ".join(words)


def hash_key(key: bytes) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key).hexdigest()


def make_key(
    file: Path,
    name: str = "",
    *,
    scopes: Sequence[str] = (),
    requests_per_minute: int = 0,
    tokens_per_minute: int = 0,
    tokens_per_day: int = 0,
    until: str = "",
) -> str:
    """A new key, whose hash is added to `file`, on the disk when this returns; the key itself is kept nowhere.

    `until` is a day such as 2027-01-31. Raises UserError when others may read the file, when it cannot be written,
    when the name is taken, and where a scope, a count or the day is none.
    """
    key = f"dk-{secrets.token_urlsafe(32)}"
    said = {"name": name, "scopes": ",".join(scopes), "until": until}
    counts = dict(zip(COUNTS, (requests_per_minute, tokens_per_minute, tokens_per_day), strict=True))
    said |= {name: str(count) for name, count in counts.items() if count}
    words = [f"{setting}={value}" for setting, value in said.items() if value]
    if any(len(word.split()) != 1 or "#" in word for word in words):
        raise UserError("a key is described without blanks and without #", "leave them out of its name")
    made = _key(f"{hash_key(key.encode())} {' '.join(words)}", "the new key")
    with _changing(file) as lines:
        names = {one.name for one in _keys(lines, str(file))}
        if made.name in names:
            raise UserError(f"{file} has a key with the name {made.name}", "give another name, or revoke that one")
        lines.append(made.line)
    return key


def revoke(file: Path, name: str) -> None:
    """Take the key of that name out of the file, on the disk when this returns; comments and other lines stay.

    Raises UserError where there is none, and as `make_key`.
    """
    with _changing(file) as lines:
        found = [number for number, line in enumerate(lines) for one in _keys([line], str(file)) if one.name == name]
        if not found:
            raise UserError(
                f"{file} has no key of that name", f"list them with: dragoman serve --list-keys keys={file}"
            )
        del lines[found[0]]


def list_keys(place: str, now: float | None = None) -> list[dict[str, str]]:
    """For each key: name, the first eight letters of its hash, scopes, budgets, last day and whether that is over."""
    now = time.time() if now is None else now
    return [
        {
            "name": key.name,
            "hash": key.hash[:8],
            "scopes": ", ".join(key.scopes) or "all",
            **{count: str(getattr(key, count) or "") for count in COUNTS},
            "until": key.until.isoformat() if key.until else "",
            "over": "yes" if key.is_over(now) else "",
        }
        for key in read_keys(place)
    ]


def read_keys(place: str) -> tuple[Key, ...]:
    """The keys in a file, one a line, or in the environment variable NAME of `env:NAME`.

    The variable holds hashes split by blanks or commas, or lines as in a file. Raises UserError when there is none,
    when a line cannot be read, when two have one name, or when others than the owner may read the file.
    """
    found = _keys(_lines(place), place)
    if not found:
        raise UserError(f"there is no key in {place}", f"make one with: dragoman serve --new-key keys={_file(place)}")
    return found


def _keys(lines: Iterable[str], place: str) -> tuple[Key, ...]:
    bare = (line.split("#")[0].strip() for line in lines)
    found = tuple(_key(line, place) for line in bare if line)
    if len({key.name for key in found}) < len(found) or len({key.hash for key in found}) < len(found):
        raise UserError(f"{place} holds two keys of one name", "give each key a name of its own")
    return found


def _key(line: str, place: str) -> Key:
    """One line, taken apart. What it says wrong is not repeated: it may be a key."""
    first, *words = line.split()
    if not HASH.fullmatch(first):
        raise UserError(
            f"{place} holds something that is not the SHA-256 hash of a key",
            f"keep keys out of it; make one with: dragoman serve --new-key keys={_file(place)}",
        )
    said = dict(word.partition("=")[::2] for word in words)
    if len(said) < len(words) or not set(said) <= {"name", "scopes", "until", *COUNTS}:
        known = ", ".join(("name", "scopes", *COUNTS, "until"))
        raise UserError(f"{place}: the key {first[:8]} is described by something unknown", f"known are: {known}")
    name = said.get("name", first[:8])
    if not NAME.fullmatch(name):
        raise UserError(f"{place}: the name of the key {first[:8]} is none", "take letters, digits, dots and dashes")
    scopes = tuple(said["scopes"].split(",")) if "scopes" in said else ()
    if not set(scopes) <= set(SCOPES):
        raise UserError(f"{place}: the key {name} has an unknown scope", f"known are: {', '.join(SCOPES)}")
    if not all(COUNT.fullmatch(said.get(count, "1")) for count in COUNTS):
        raise UserError(f"{place}: a budget of the key {name} is no number above 0", "leave it out for no bound")
    requests, minute, day = (int(said.get(count, "0")) for count in COUNTS)
    return Key(
        first, name, scopes, requests, minute, day, _day(said["until"], place, name) if "until" in said else None
    )


def _day(text: str, place: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{place}: the last day of the key {name} is no day", "write it as year-month-day: 2027-01-31"
        ) from None


def _file(place: str) -> str:
    return "keys.txt" if place.startswith("env:") else place


def _lines(place: str) -> list[str]:
    if not place.startswith("env:"):
        return _read(Path(place))
    lines = re.split(r"[\n;]+", os.environ.get(place.removeprefix("env:"), ""))
    split = [[word for word in re.split(r"[\s,]+", line) if word] for line in lines]
    parts = [words if all(map(HASH.fullmatch, words)) else [line] for words, line in zip(split, lines, strict=True)]
    return [part for line in parts for part in line]


def _read(file: Path) -> list[str]:
    try:
        _check_private(file)
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(
            f"there is no key file {file}", f"make one with: dragoman serve --new-key keys={file}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"the key file {file} cannot be read: {why}", "name another one: keys=PATH") from None


def _check_private(file: Path) -> None:
    """Refuse a file that somebody else may read or change."""
    mode = file.stat().st_mode
    if stat.S_IMODE(mode) & 0o077:
        raise UserError(
            f"the key file {file} is open to other users (mode {stat.S_IMODE(mode):o})", f"say: chmod 600 {file}"
        )


@contextlib.contextmanager
def _changing(file: Path) -> Iterator[list[str]]:
    """The lines of a file, to be changed by one process at a time; the new ones replace the old in one step."""
    try:
        place = real(file)
        with alone(place.parent) as folder:
            lines = _read(file) if place.exists() else []
            yield lines
            stage = beside(place, "new")
            stage.unlink(missing_ok=True)
            descriptor = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write("".join(f"{line}\n" for line in lines).encode())
                stream.flush()
                os.fsync(stream.fileno())
            stage.replace(place)
            os.fsync(folder)
    except OSError as error:
        raise UserError(
            f"the key file {file} cannot be written: {error.strerror}", "name another place: keys=PATH"
        ) from None


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


def matched(keys: Sequence[bytes], hashes: Sequence[str]) -> list[int]:
    """The places of the hashes that the one shown key has; every hash is compared, each in constant time.

    Two keys at once are refused: a second header must never be a way around the check of the first.
    """
    digest = hash_key(keys[0][:LONGEST] if keys else b"")
    right = [number for number, known in enumerate(hashes) if hmac.compare_digest(digest, known)]
    return right if len(keys) == 1 and len(keys[0]) <= LONGEST else []


class Keyring:
    """The keys that open a server now: the file is looked at once a second, and read again where it has changed.

    A file that is gone, or holds no key any more, opens nothing. One that cannot be read as it stands (a slip of the
    pen, or open to others) changes nothing: the keys before it stay, and standard error says so.
    """

    def __init__(self, place: str) -> None:
        """Raises UserError as `read_keys`."""
        self.place = place
        self._looked = time.monotonic()
        self._state = self._stamp()
        self._keys = read_keys(place)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def find(self, shown: Sequence[bytes]) -> Key | None:
        """The key that is shown, where it is exactly one, known, and its last day is not over."""
        self._look()
        found = [self._keys[number] for number in matched(shown, [key.hash for key in self._keys])]
        return found[0] if found and not found[0].is_over(time.time()) else None

    def holds(self, key: Key) -> bool:
        """Whether a key that was found still opens anything: asked while an answer is being written."""
        self._look()
        return not key.is_over(time.time()) and any(one.hash == key.hash for one in self._keys)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        state = self._stamp()
        if state == self._state:
            return
        self._state = state
        try:
            self._keys = _keys(_lines(self.place), self.place) if state else ()
        except UserError as error:
            sys.stderr.write(f"dragoman: {error.problem}; the keys before it stay\n")
            sys.stderr.flush()

    def _stamp(self) -> tuple[int, ...]:
        """What changes with the file; empty where there is none."""
        if self.place.startswith("env:"):
            return (0,)
        try:
            found = os.stat(self.place)
        except OSError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
