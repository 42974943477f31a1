"""Search for voices: by words, by sound, by attributes."""
