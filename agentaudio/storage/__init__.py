"""Sessions that last: turns are stored as they end, and conversations are resumed, exported, compared and erased."""
