"""What spoken sound carries when it leaves: a signature in files, a mark in the sound, and how both are read."""
