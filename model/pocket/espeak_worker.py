"""A process that speaks: eSpeak NG through ctypes, asked and answering in frames over its pipes.

It lives apart because the library is not thread-safe, aborts the whole process when misused, and
is GPL-3. It imports nothing but the standard library, so it starts within a few hundredths of a second
whatever the parent has on its path.

A request is a frame of JSON; an answer is a frame of JSON and a frame of 16-bit little-endian
samples. A frame is a 32-bit little-endian length and that many bytes. The process ends when
its input does.

    python espeak_worker.py LIBRARY DATA_FOLDER
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

LONGEST_DATA_PATH = 120  # espeak_Initialize keeps it in a buffer of 160 bytes and fails silently beyond
LARGEST_FRAME = 64 * 2**20

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: hand samples to the callback before espeak_Synth returns
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data instead of ending the process
_UTF8 = 1  # espeakCHARS_UTF8
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_IPA = 0x02  # phoneme mode: IPA, with the separator in bits 8 to 23
_SEPARATOR = " "

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def read_frame(pipe: BinaryIO) -> bytes:
    """The next frame. Raises EOFError when the other side is gone."""
    header = _read_exactly(pipe, 4)
    (size,) = struct.unpack("<I", header)
    if size > LARGEST_FRAME:
        raise EOFError(f"a frame of {size} bytes: the other side is out of step")
    return _read_exactly(pipe, size)


def write_frame(pipe: BinaryIO, content: bytes) -> None:
    pipe.write(struct.pack("<I", len(content)) + content)


def _read_exactly(pipe: BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Espeak:
    """The library, loaded once per process.

    Raises RuntimeError when it cannot be loaded or does not find its data.
    """

    def __init__(self, library: str, data: str) -> None:
        try:
            self._lib = ctypes.CDLL(library)
        except OSError as error:
            raise RuntimeError(f"cannot load {library}: {error}") from None
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.sample_rate = int(self._lib.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), _DONT_EXIT))
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG finds no usable data in {data}")
        self._pcm = bytearray()
        # Kept as an attribute: the library holds a bare pointer, which must outlive this call.
        self._callback = _Callback(self._collect)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def _collect(self, samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, count * 2)
        return 0

    def _use(self, voice: str) -> None:
        if voice != self._voice:
            if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
                raise RuntimeError(f"eSpeak NG has no voice {voice!r}")
            self._voice = voice

    def speak(self, text: str, voice: str, rate: int, pitch: int, pitch_range: int) -> bytes:
        """16-bit samples of a text. rate: words a minute; pitch, pitch_range: 0 to 99."""
        self._use(voice)
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._lib.espeak_SetParameter(parameter, value, 0)
        self._pcm.clear()
        content = text.encode() + b"\0"
        status = self._lib.espeak_Synth(content, len(content), 0, 1, 0, _UTF8, None, None)
        if status != 0:
            raise RuntimeError(f"eSpeak NG refused the text with status {status}")
        return bytes(self._pcm)

    def phonemes(self, word: str, voice: str) -> str:
        """IPA of a text, phonemes separated by blanks."""
        self._use(voice)
        # Called with a pointer to the text, which it moves from clause to clause and nulls at the end.
        pointer = ctypes.c_char_p(word.encode() + b"\0")
        mode = _IPA | (ord(_SEPARATOR) << 8)
        clauses = []
        while pointer.value is not None:
            clause = self._lib.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, mode)
            clauses.append((clause or b"").decode("utf-8", "replace"))
        return " ".join(clauses).strip()


def short_data_path(data: str, stack: contextlib.ExitStack) -> str:
    """The folder itself, or a short link to it which goes when the stack is closed."""
    if len(os.fsencode(data)) <= LONGEST_DATA_PATH:
        return data
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) < LONGEST_DATA_PATH - 40 else "/tmp"
    folder = tempfile.mkdtemp(prefix="espeak-", dir=parent)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder, "espeak-ng-data")
    try:
        link.symlink_to(data, target_is_directory=True)
    except OSError:  # Windows without the privilege to link
        shutil.copytree(data, link)
    return str(link)


def _answer(espeak: Espeak, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    voice = request["voice"]
    if "words" in request:
        return {"phonemes": [espeak.phonemes(word, voice) for word in request["words"]]}, b""
    pcm = espeak.speak(request["text"], voice, request["rate"], request["pitch"], request["range"])
    return {"sample_rate": espeak.sample_rate}, pcm


def _leave_with_parent(parent: int) -> None:
    # A forked child of the parent can hold our input open, so its end alone is no proof of life.
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(0)


def main() -> None:
    # Ctrl-C reaches the whole terminal group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(EOFError, BrokenPipeError))
        espeak: Espeak | None = None
        problem = ""
        try:
            espeak = Espeak(sys.argv[1], short_data_path(sys.argv[2], stack))
        except (RuntimeError, OSError) as error:
            problem = str(error)
        while True:
            request = json.loads(read_frame(requests))
            pcm = b""
            if espeak is None:
                header: dict[str, Any] = {"error": problem}
            else:
                try:
                    header, pcm = _answer(espeak, request)
                except RuntimeError as error:
                    header = {"error": str(error)}
            write_frame(answers, json.dumps(header).encode())
            write_frame(answers, pcm)
            answers.flush()


if __name__ == "__main__":
    main()
