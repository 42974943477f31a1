"""The Realtime protocol: spoken conversations with an agent, for clients that were written for OpenAI."""
