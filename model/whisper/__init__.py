"""Whisper: speech to text in about 100 languages, on CTranslate2 without torch."""
