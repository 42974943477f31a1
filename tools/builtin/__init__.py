"""The tools that come with agentaudio; they arrive through the entry points that plugins use."""
