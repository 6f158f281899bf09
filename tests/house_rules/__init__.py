"""The rules of the house, each held by a test that reads the whole repository."""
