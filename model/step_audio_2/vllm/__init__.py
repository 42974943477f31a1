"""A plug-in with which an unmodified vLLM serves Step-Audio 2 mini. Nothing but vLLM imports it."""
