"""Search in text: embedding, splitting, words, and ranking by both."""
