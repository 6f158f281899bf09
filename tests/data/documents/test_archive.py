"""A zip file that means harm is told, and unpacks nothing."""

import io
import zipfile

import pytest

from dragoman.core.errors import UserError
from dragoman.data.documents.archive import Limits, open_archive


def packed(files: dict[str, bytes]) -> bytes:
    """A zip file of these."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return held.getvalue()


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "C:x", "a\\b", "a\x01b", "\u202etxt.x"])
def test_names_stay_inside(name: str) -> None:
    archive = open_archive(packed({name: b"x"}))
    with pytest.raises(UserError, match="leads out"):
        archive.read(archive.names()[0])


def test_sizes_have_limits() -> None:
    files = {f"{n}.txt": bytes(range(256)) * 40 for n in range(5)}
    archive = open_archive(packed(files), Limits(total=25_000))
    assert len(archive.read("0.txt")) == 10_240
    archive.read("1.txt")
    with pytest.raises(UserError, match="unpacks to more than"):
        archive.read("2.txt")
    with pytest.raises(UserError, match="and 100 are read"):
        open_archive(packed(files), Limits(one=100)).read("0.txt")
    with pytest.raises(UserError, match="holds 5 files"):
        open_archive(packed(files), Limits(files=4))
    with pytest.raises(UserError, match="a bomb"):
        open_archive(packed({"a": b"0" * (8 << 20)})).read("a")


def test_a_broken_file_in_it_is_one_message() -> None:
    data = bytearray(packed({"a.txt": b"some text that is packed" * 10}))
    data[45] ^= 0xFF
    with pytest.raises(UserError, match="cannot be unpacked"):
        open_archive(bytes(data)).read("a.txt")
