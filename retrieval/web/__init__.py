"""Text from the web: search engines, page fetching through the guarded HTTP client, and passages."""
