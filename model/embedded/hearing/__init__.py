"""From sound to words: is anyone speaking, and what was said."""
