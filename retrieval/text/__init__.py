"""Search in text: splitting into passages, BM25, hybrid ranking, reranking."""
