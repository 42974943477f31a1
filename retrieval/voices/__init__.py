"""Find the voice that was asked for: by words, by sound, by attributes."""
