"""Token ids from answers in which special tokens are spelled out, such as `Hi<audio_12><tts_end>`."""

from __future__ import annotations

import re

from agentaudio.model.step_audio_2.tokens import N_CODE_TOKENS, PUBLISHED_IDS, SPECIAL_TOKENS, TokenIds

_TOKEN = re.compile("|".join([r"<audio_(\d{1,4})>", *map(re.escape, SPECIAL_TOKENS)]))
_BEGUN_CODE = re.compile(r"<audio_\d{0,4}")
_LONGEST = max(len("<audio_0000>"), *map(len, SPECIAL_TOKENS))


class ByteVocabulary:
    """The published special tokens, and text whose ids are the bytes of its UTF-8: reading needs no tokenizer."""

    ids = TokenIds()

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def token_bytes(self, token_id: int) -> bytes:
        return bytes((token_id,)) if 0 <= token_id < 256 else b""


class SpelledIds:
    """Reads spelled-out text in pieces cut anywhere into ids of a `ByteVocabulary`.

    Text that spells a special token cannot be told from the token.
    """

    def __init__(self) -> None:
        self._vocabulary = ByteVocabulary()
        self._held = ""

    def feed(self, text: str) -> list[int]:
        """The ids that are now certain. What may become a special token is held back."""
        text = self._held + text
        keep = _begun(text)
        self._held = text[len(text) - keep :]
        return self._ids(text[: len(text) - keep])

    def finish(self) -> list[int]:
        """The ids of what was held back."""
        text, self._held = self._held, ""
        return self._ids(text)

    def _ids(self, text: str) -> list[int]:
        found: list[int] = []
        start = 0
        for match in _TOKEN.finditer(text):
            number = _id_of(match)
            if number is None:
                continue
            found += self._vocabulary.encode(text[start : match.start()])
            found.append(number)
            start = match.end()
        return found + self._vocabulary.encode(text[start:])


def _id_of(match: re.Match[str]) -> int | None:
    code = match.group(1)
    if code is None:
        return PUBLISHED_IDS[match.group()]
    return TokenIds().audio_0 + int(code) if int(code) < N_CODE_TOKENS else None


def _begun(text: str) -> int:
    """Length of the longest end of `text` that may become a special token."""
    start = text.rfind("<", max(0, len(text) - _LONGEST))
    if start < 0:
        return 0
    tail = text[start:]
    begun = _BEGUN_CODE.fullmatch(tail) or any(len(tail) < len(token) and token.startswith(tail) for token in _NAMES)
    return len(tail) if begun else 0


_NAMES = (*SPECIAL_TOKENS, "<audio_")
