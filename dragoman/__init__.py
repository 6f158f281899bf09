"""Dragoman takes a narrow language-model project from a written scope to a measured application."""

__all__ = ["__version__"]

__version__ = "0.1.0"
