"""Suites: dialogues with an agent, and what must happen in them."""
