"""`POST /v1/chat/completions`: a conversation in a request, and the agent's turn as the answer."""
