"""A worker process that runs eSpeak NG through ctypes.

The library runs in a process of its own because it is not thread-safe, can abort the process, and
is licensed under the GPL-3.

    python -m agentaudio.model.embedded.speaking.espeak_worker LIBRARY DATA_FOLDER
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from agentaudio.workers.messages import Message
from agentaudio.workers.serving import serve

LONGEST_DATA_PATH = 120  # espeak_Initialize has a buffer of 160 bytes and fails silently beyond it

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: hand samples to the callback before espeak_Synth returns
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data instead of ending the process
_UTF8 = 1  # espeakCHARS_UTF8
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_IPA = 0x02  # phoneme mode: IPA, with the separator in bits 8 to 23
_SEPARATOR = " "

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Library:
    """eSpeak NG, loaded once per process.

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
        # An attribute, because the library keeps a bare pointer to it.
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
        """The 16-bit samples of a text. rate: words per minute; pitch, pitch_range: 0 to 99."""
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
        """The IPA of a text, phonemes separated by spaces."""
        self._use(voice)
        # The library advances the pointer clause by clause and sets it to NULL at the end.
        pointer = ctypes.c_char_p(word.encode() + b"\0")
        mode = _IPA | (ord(_SEPARATOR) << 8)
        clauses = []
        while pointer.value is not None:
            clause = self._lib.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, mode)
            clauses.append((clause or b"").decode("utf-8", "replace"))
        return " ".join(clauses).strip()


def short_data_path(data: str, stack: contextlib.ExitStack) -> str:
    """The folder itself, or a short link to it that is removed when the stack is closed."""
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


def main() -> None:
    library, data = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        espeak: Library | None = None

        def handle(request: dict[str, Any], _: bytes | bytearray) -> Message:
            nonlocal espeak
            if espeak is None:
                espeak = Library(library, short_data_path(data, stack))
            voice = request["voice"]
            if "words" in request:
                return {"phonemes": [espeak.phonemes(word, voice) for word in request["words"]]}, b""
            pcm = espeak.speak(request["text"], voice, request["rate"], request["pitch"], request["range"])
            return {"sample_rate": espeak.sample_rate}, pcm

        serve(handle)


if __name__ == "__main__":
    main()
