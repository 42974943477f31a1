"""The HTTP server: an agent behind the protocols that clients of OpenAI speak. Needs the extra `server`."""
