"""Scorers: each turns an answer into counts by a published rule."""
