"""Speech LLMs behind one protocol: they know sound, text and calls, never turns or tools."""
