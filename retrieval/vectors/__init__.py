"""Nearest-neighbour search: exact for few vectors, compressed or in a database for many."""
