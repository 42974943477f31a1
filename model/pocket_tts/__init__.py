"""Kyutai Pocket TTS: speech in the voice of a clip, streamed in frames of 80 ms."""
