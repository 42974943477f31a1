"""Decodes with llama.cpp, from a GGUF file of 4, 8, 16 or 32 bits that is made of the checkpoint."""
