"""From words to tool calls: which tool, with which arguments."""
