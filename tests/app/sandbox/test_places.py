"""Python's own library is there to be read; what was installed beside it is not."""

import sysconfig
from pathlib import Path

from dragoman.app.sandbox.backends import Backend
from tests.app.sandbox.boxes import box_of, each_backend, places


def test_what_was_installed_is_not_among_the_places() -> None:
    found = places()
    assert Path(found.python).is_file()
    assert not [name for name in (*found.folders, *found.files) if "site-packages" in name]
    assert str(Path(sysconfig.get_path("stdlib")) / "json") in found.folders


@each_backend
def test_what_was_installed_cannot_be_read(backend: Backend) -> None:
    """The folder's own pip is read from outside the sandbox, and not from within."""
    there = [path for name in places().hidden for path in Path(name).glob("*/*.py")]
    tried = [str(path) for path in there[:3]] or [str(Path(sysconfig.get_path("purelib")) / "pytest" / "__init__.py")]
    assert all(Path(path).read_text() is not None for path in tried)
    program = f"answer = 0\nfor path in {tried!r}:\n    try: open(path); answer += 1\n    except OSError: pass"
    assert box_of(backend).run(program).value == 0
