"""Speech by Kokoro-82M: text to phonemes to sound, in stock styles or moved towards a reference voice."""
