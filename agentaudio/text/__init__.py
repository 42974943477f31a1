"""Text that is spoken, searched or compared: sentences, words and stems, numbers, spoken form, embeddings."""
