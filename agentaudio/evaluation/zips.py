"""`join_members`: members of many zip files in one, as they are compressed, in memory that does not grow with them."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_MOST_16, _MOST_32 = 0xFFFF, 0xFFFFFFFF
_VERSION_64 = 45
_STREAMED = 0x08
"""Flag of a member whose sizes follow it; here they come before it."""


def join_members(sources: Iterable[tuple[Path, Callable[[str], bool]]], path: Path) -> None:
    """Write a zip file with members of others.

    sources: zip files, and which of their members are taken, by name

    zipfile would decompress each member, and keep a record of each in memory. Raises OSError when a file cannot be
    read or written, BadZipFile for one that is not a zip file and for a member of 4 GB.
    Source of the format: APPNOTE.TXT of PKWARE, 6.3.10.
    """
    with open(path, "wb") as file, TemporaryFile() as directory:
        count = 0
        for source, wanted in sources:
            with ZipFile(source) as zipped, open(source, "rb") as raw:
                for info in zipped.infolist():
                    if wanted(info.filename):
                        _copy(raw, info, file, directory)
                        count += 1
        start, size = file.tell(), directory.tell()
        directory.seek(0)
        shutil.copyfileobj(directory, file)
        file.write(_end(count, start, size))


def _copy(raw: IO[bytes], info: ZipInfo, file: IO[bytes], directory: IO[bytes]) -> None:
    if max(info.compress_size, info.file_size) >= _MOST_32:
        raise BadZipFile(f"{info.filename} has 4 GB or more")
    raw.seek(info.header_offset)
    found = _LOCAL.unpack(raw.read(_LOCAL.size))
    raw.seek(found[-2] + found[-1], 1)  # the name and the extra fields
    year, month, day, hour, minute, second = info.date_time
    name = info.filename.encode()
    flags = (info.flag_bits | (0 if name.isascii() else 0x800)) & ~_STREAMED
    about = (
        info.extract_version, flags, info.compress_type, hour << 11 | minute << 5 | second // 2,
        (year - 1980) << 9 | month << 5 | day, info.CRC, info.compress_size, info.file_size, len(name),
    )  # fmt: skip
    offset = file.tell()
    far = struct.pack("<2HQ", 1, 8, offset) if offset >= _MOST_32 else b""
    made_by = info.create_system << 8 | max(info.create_version, _VERSION_64 if far else 0)
    directory.write(
        _CENTRAL.pack(
            b"PK\x01\x02",
            made_by,
            *about,
            len(far),
            0,
            0,
            info.internal_attr,
            info.external_attr,
            min(offset, _MOST_32),
        )
    )
    directory.write(name + far)
    file.write(_LOCAL.pack(b"PK\x03\x04", *about, 0) + name)
    left = info.compress_size
    while left:
        piece = raw.read(min(left, 1 << 20))
        if not piece:
            raise BadZipFile(f"{info.filename} is cut off")
        file.write(piece)
        left -= len(piece)


def _end(count: int, start: int, size: int) -> bytes:
    found = b""
    if count >= _MOST_16 or start >= _MOST_32 or size >= _MOST_32:
        found = _END_64.pack(
            b"PK\x06\x06", _END_64.size - 12, _VERSION_64, _VERSION_64, 0, 0, count, count, size, start
        ) + _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1)
    few = min(count, _MOST_16)
    return found + _END.pack(b"PK\x05\x06", 0, 0, few, few, min(size, _MOST_32), min(start, _MOST_32), 0)
