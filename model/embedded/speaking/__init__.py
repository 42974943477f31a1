"""From words to sound, in the requested voice."""
