"""The agent's voices, speech and hearing as the tools of an MCP server."""
