"""Messages between a process and its worker. They hold plain data only, so reading one runs no code.

A frame is a 32-bit little-endian length and that many bytes. A message, in either direction, is a
frame of JSON and a frame of bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

LARGEST_FRAME = 64 * 2**20

Message = tuple[dict[str, Any], bytes | bytearray]
Answer = tuple[dict[str, Any], bytes | bytearray | memoryview]


def read_message(pipe: IO[bytes], largest: int = LARGEST_FRAME) -> Message:
    """Read a message.

    largest: size of a frame in bytes

    Raises EOFError when the other process has ended, and OverflowError for a larger frame, after
    which the pipe cannot be used.
    """
    return json.loads(_read_frame(pipe, largest)), _read_frame(pipe, largest)


def write_message(pipe: IO[bytes], header: Mapping[str, Any], content: bytes | bytearray | memoryview = b"") -> None:
    """Send a message. Raises OSError when the other process has ended."""
    encoded = json.dumps(header).encode()
    _write(pipe, struct.pack("<I", len(encoded)) + encoded + struct.pack("<I", len(content)))
    _write(pipe, content)
    pipe.flush()


def _read_frame(pipe: IO[bytes], largest: int) -> bytearray:
    (size,) = struct.unpack("<I", _read_exactly(pipe, 4))
    if size > largest:
        raise OverflowError(f"a frame of {size} bytes is longer than {largest}")
    return _read_exactly(pipe, size)


def _read_exactly(pipe: IO[bytes], size: int) -> bytearray:
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        count = pipe.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        rest = rest[count:]
    return content


def _write(pipe: IO[bytes], content: bytes | bytearray | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[pipe.write(rest) :]
