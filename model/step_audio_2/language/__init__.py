"""The text side of Step-Audio 2: prompts, its tool dialect, and readers of what it writes."""
