"""From what tools return to what is said."""
