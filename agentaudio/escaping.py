"""Text from anywhere for terminals and error messages: hidden characters become escapes such as `\\x1b`."""

from __future__ import annotations

import re

# Control characters (C0 without tab and newline, DEL, C1), those that change the direction of text, those that take no
# space, and lone surrogates. Joiners stay between letters of scripts that need them, and in emoji.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
"""Characters that a terminal obeys or does not show."""


def visible(text: str) -> str:
    """The text with characters that a terminal obeys or hides written as escapes, such as `\\x1b`."""
    return HIDDEN.sub(lambda found: _escape(ord(found[0])), text)


def one_line(text: str) -> str:
    """`visible` text on one line."""
    return visible(text.replace("\n", " "))


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
