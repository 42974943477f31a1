"""What a request asks for, by rules: a voice or a search, in English and Chinese."""
