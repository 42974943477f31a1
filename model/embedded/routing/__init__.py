"""From words to tool calls: chooses a tool and its arguments."""
