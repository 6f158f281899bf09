"""What an import costs and does: no torch outside its wing, and no connection that nobody asked for."""

import subprocess
import sys
import textwrap

import pytest

from tests.house_rules.source import PACKAGE, ROOT, module_name, python_files

WITHOUT_TORCH = ("core", "data", "metrics", "rag", "app", "evals", "report", "serve", "stages")
HEAVY = ("torch", "transformers", "peft", "accelerate", "sentence_transformers")
LATE = (
    *HEAVY,
    "datasets",
    "pyarrow",
    "pandas",
    "fastapi",
    "uvicorn",
    "tokenizers",
    "huggingface_hub",
    "sklearn",
    "scipy",
)
HOOK = """
import sys
def watch(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        print("OUTGOING", event, given[1:] if event == "socket.connect" else given[:1], file=sys.stderr)
        sys.stderr.flush()
        import os
        os._exit(9)
sys.addaudithook(watch)
"""


def python(code: str) -> str:
    """What a fresh interpreter prints; the test fails with its stderr when it does not end well."""
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", HOOK + textwrap.dedent(code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def modules(*rooms: str) -> list[str]:
    """Every module of these rooms."""
    found = [path for room in rooms for path in python_files(f"dragoman/{room}")]
    return [module_name(path) for path in found if path.name != "__main__.py"]


def imports(names: list[str], watched: tuple[str, ...]) -> str:
    """Code that imports each module by itself and prints who was first to bring a watched package."""
    return f"""
        import importlib
        for name in {names!r}:
            before = set(sys.modules)
            importlib.import_module(name)
            for late in {watched!r}:
                if late in sys.modules and late not in before:
                    print(name, "imports", late)
        """


def test_the_wing_without_torch_imports_without_torch() -> None:
    assert python(imports(["dragoman.cli", *modules(*WITHOUT_TORCH)], HEAVY)) == ""


def test_settings_of_training_are_known_without_torch() -> None:
    """A mistake in a training setting is answered at once: these files import torch only where they work."""
    names = [name for name in modules("train/objectives", "train/tuning") if "._" not in name]
    doors = ["dragoman.train.doors"] if (PACKAGE / "train" / "doors.py").exists() else []
    assert python(imports([*doors, *names], HEAVY)) == ""


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "--help"], ["runs", "--help"], ["nonsense"]], ids=" ".join)
def test_the_command_line_answers_with_little(words: list[str]) -> None:
    code = f"""
        import contextlib, io
        from dragoman.cli import main
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main({words!r})
        print(*[name for name in {LATE!r} if name in sys.modules])
        """
    assert python(code).split() == []


def test_no_import_opens_a_connection() -> None:
    rooms = [folder.name for folder in PACKAGE.iterdir() if folder.is_dir()]
    names = ["dragoman.cli", *modules(*rooms)]
    assert python(imports(names, ()) + "\n        print(len(sys.modules) > 100)") == "True\n"
