"""Composes spoken answers from the results of tools."""
