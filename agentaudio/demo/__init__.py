"""The demo: three spoken turns over thirty short documents and the demo voices, and a report of them."""
