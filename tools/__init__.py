"""What an agent can do, and how it is run safely."""
