"""`python -m dragoman` is `dragoman`."""

import sys

from dragoman.cli import main

__all__: list[str] = []

sys.exit(main())
