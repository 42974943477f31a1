"""Weights of models: which files there are, where each comes from, and the folder that holds them once verified."""
