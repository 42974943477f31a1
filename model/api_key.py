"""Keys of services: checked before they are sent, and taken out of what is shown."""

from __future__ import annotations

from agentaudio.errors import OptionError


def check_key(key: str | None, what: str) -> None:
    """Raises OptionError, which does not show it, for a key that no header can hold. what: the key, for the message"""
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        raise OptionError(f"{what} has a space or a character that no header can hold")


def without_key(text: str, key: str | None) -> str:
    """A text that a service sent, without the key: some repeat it in their errors.

    Call it before the text is shortened, so that no part of the key is left.
    """
    return text.replace(key, "***") if key else text
