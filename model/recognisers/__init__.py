"""Recognisers on libraries that people may have already, and what recognisers have in common."""
