"""Made conversations, the room in which they take place, the policies that take turns in it, and their judge."""
