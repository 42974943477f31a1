"""Live conversation: sound in, sound out, and who speaks when."""
