"""embedded: the embedded engine, a cascade (not a speech LLM) that needs no download and no GPU.

engine.py joins its parts, in the order of a turn: hearing -> routing -> answering -> speaking;
language is what they all know of English.
"""
