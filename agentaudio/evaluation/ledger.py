"""`Ledger`: what a run has finished, kept line by line, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentaudio.errors import EvaluationError

BLOCK = 4_096
"""Bytes that are read at a time."""


class Ledger:
    """A file of JSON lines by key. A line that `keep` has written survives the death of the process.

    A last line that was cut off by a kill or a full disk is dropped when the file is opened. Of several lines with one
    key the last holds. Memory holds the keys and the places of the lines only. The file is locked until `close` or the
    end of the process, as two writers would overwrite each other's lines.

    Raises EvaluationError when the file cannot be read or written, is in use, or has a line that is not JSON before the
    last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._end = self._read()
            os.ftruncate(self._file, self._end)
        except BlockingIOError:
            self.close()
            raise EvaluationError(
                f"another run works in {path.parent}; wait for its end, or choose another folder with --out"
            ) from None
        except OSError as error:
            self.close()
            raise self._unusable(error) from None
        except EvaluationError:
            self.close()
            raise

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under a key; None for nothing."""
        if key not in self._places:
            return None
        value: dict[str, Any] = json.loads(self._line(self._places[key]))
        del value["key"]
        return value

    def keep(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a value for good. What was kept before stays when this raises."""
        line = json.dumps({"key": key, **value}, ensure_ascii=False, allow_nan=False) + "\n"
        content = line.encode("utf-8", "replace")
        try:
            if os.pwrite(self._file, content, self._end) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)  # where this fails, the next start drops the half line
            raise EvaluationError(
                f"cannot write to {self._path}: {error.strerror}; what was finished before is kept: free some space "
                "and run the same command again"
            ) from None
        self._places[key] = self._end
        self._end += len(content)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _unusable(self, error: OSError) -> EvaluationError:
        return EvaluationError(f"cannot open {self._path}: {error.strerror}; choose another folder with --out")

    def _line(self, start: int) -> bytes:
        found = b""
        while not found.endswith(b"\n"):
            read = os.pread(self._file, BLOCK, start + len(found))
            found += read[: read.find(b"\n") + 1] if b"\n" in read else read
            if not read:  # somebody cut the file off
                raise EvaluationError(f"{self._path} has changed while it was read; run the same command again")
        return found

    def _read(self) -> int:
        """Find all whole lines. Returns where the last of them ends, in bytes."""
        end = 0
        with open(self._path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    self._places[str(json.loads(line)["key"])] = end
                except (ValueError, KeyError, TypeError):
                    raise EvaluationError(
                        f"line {number} of {self._path} is not what a run writes; delete the file to ask all again"
                    ) from None
                end += len(line)
        return end
