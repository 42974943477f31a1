"""The service that makes sound of speech tokens, in the voice of each request."""
