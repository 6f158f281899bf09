"""Stores of documents that lie in a database of their own: Qdrant, LanceDB and PostgreSQL, behind the one door."""
