"""Nearest vectors: exact while they are few, compressed or remote when they are many."""
