"""Reference voices: what is known, allowed and stored."""
