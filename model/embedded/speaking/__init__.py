"""From words to sound, in the voice that was asked for."""
