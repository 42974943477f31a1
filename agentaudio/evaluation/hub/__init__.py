"""Copies of benchmarks on the Hugging Face hub: fetched when asked for by name, and laid out as they are published."""
