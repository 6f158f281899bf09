"""Opens zip files without trusting them: names stay inside, sizes, ratios and counts have limits, links are refused."""

import io
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["Limits", "Opened", "open_archive", "problem_of"]

UNSAFE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]|\\")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a zip file may hold."""

    files: int = 10_000
    one: int = 128 << 20
    "bytes of one file in it, unpacked"
    total: int = 512 << 20
    "bytes of all files that are unpacked"
    ratio: int = 200
    "bytes unpacked for a packed one, past the first MiB; text packs by 3 to 20"


@dataclass(slots=True)
class Opened:
    """An open zip file that counts what it has given."""

    file: zipfile.ZipFile
    limits: Limits
    given: int = 0

    def names(self) -> list[str]:
        """The names of what it holds, sorted, without folders."""
        return sorted({one.filename for one in self.file.infolist() if not one.is_dir()})

    def read(self, name: str) -> bytes:
        """One file of it, unpacked. Raises UserError where it is not safe or not sound."""
        try:
            entry = self.file.getinfo(name)
        except KeyError:
            raise UserError(f"{name} is missing in it", "save it anew, or leave it out") from None
        if told := problem_of(entry, self.limits):
            raise UserError(told, "leave it out, or pack it anew")
        if self.given + entry.file_size > self.limits.total:
            raise UserError(
                f"the archive unpacks to more than {self.limits.total:,} bytes: {name} was not unpacked",
                "unpack it yourself, and name the folder",
            )
        try:
            with self.file.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            raise UserError(f"{name} cannot be unpacked: {error}", "pack it anew, or leave it out") from None
        self.given += len(data)
        return data


def problem_of(entry: zipfile.ZipInfo, limits: Limits) -> str:
    """Why an entry is not unpacked; empty where it may be."""
    if UNSAFE.search(entry.filename) or not entry.filename:
        return f"the name {entry.filename[:80]!r} leads out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return f"{entry.filename} is a link"
    if entry.flag_bits & 1:
        return f"{entry.filename} needs a password"
    if entry.file_size > limits.one:
        return f"{entry.filename} unpacks to {entry.file_size:,} bytes, and {limits.one:,} are read"
    if entry.file_size > (1 << 20) and entry.file_size > limits.ratio * max(1, entry.compress_size):
        return f"{entry.filename} unpacks to {entry.file_size // max(1, entry.compress_size):,} times its size: a bomb"
    return ""


def open_archive(data: bytes, limits: Limits | None = None) -> Opened:
    """A zip file from its bytes. Raises UserError where it is none, or holds too many files."""
    limits = limits or Limits()
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, RuntimeError, OSError, ValueError, EOFError) as error:
        raise UserError(f"it is no zip file that can be read: {error}", "pack it anew, or leave it out") from None
    if len(file.infolist()) > limits.files:
        raise UserError(
            f"it holds {len(file.infolist()):,} files, and {limits.files:,} are read",
            "unpack it yourself, and name the folder",
        )
    return Opened(file, limits)
