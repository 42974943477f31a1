"""Qwen2-Audio, Qwen2.5-Omni and Qwen3-Omni, loaded by transformers."""
