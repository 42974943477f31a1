"""The page at `/`: talk with the agent in a browser."""
