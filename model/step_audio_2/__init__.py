"""Step-Audio 2 mini, native: hears and speaks through one exact, cached, streaming Hugging Face model."""
