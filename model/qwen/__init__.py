"""Qwen2-Audio and Qwen2.5-Omni, loaded by transformers."""
