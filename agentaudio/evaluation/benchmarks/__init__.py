"""Benchmarks: for each, one file of facts about its data, its prompt and how its answers are scored."""
