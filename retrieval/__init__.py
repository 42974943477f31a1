"""Find the right text or voice."""
