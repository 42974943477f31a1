"""The network of Step-Audio 2: features, encoder, language model, and loading its weights."""
