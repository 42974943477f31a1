"""Speech recognition: from sound to words."""
