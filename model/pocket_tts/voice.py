"""`PocketVoice`: what Pocket TTS made of a clip, and its file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.files import write_atomically
from agentaudio.model.pocket_tts.engine import Arrays

LARGEST_BYTES = 256 << 20
"""Of the arrays of a file, unpacked."""
_CLIP, _VERSION = "clip_sha256", "version"


@dataclass(frozen=True, slots=True)
class PocketVoice:
    """A state of PocketTTS; immutable.

    clip_sha256: of the clip
    version: of the maker
    arrays: the keys and values of the network's attention over the clip, about 0.6 MB for each second
    """

    clip_sha256: str
    version: str
    arrays: Arrays

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        return sum(array.nbytes for array in self.arrays.values())


class PocketVoiceFormat:
    """Files of PocketVoice: NumPy's npz without pickled objects. See StateFormat."""

    suffix = ".npz"

    def write(self, state: PocketVoice, path: Path) -> None:
        """Raises VoiceError when the file cannot be written."""
        content = io.BytesIO()
        np.savez(
            content, allow_pickle=False, **{_CLIP: state.clip_sha256, _VERSION: state.version}, **dict(state.arrays)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue(), error=VoiceError)

    def read(self, path: Path, *, clip_sha256: str, version: str) -> PocketVoice:
        """Raises VoiceError when the file is damaged, of another clip, or of other weights."""
        try:
            with zipfile.ZipFile(path) as packed:
                if sum(one.file_size for one in packed.infolist()) > LARGEST_BYTES:
                    raise ValueError(f"larger than {LARGEST_BYTES >> 20} MB")
            with np.load(path, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files if name not in (_CLIP, _VERSION)}
                state = PocketVoice(str(kept[_CLIP]), str(kept[_VERSION]), arrays)
        except Exception as error:  # a damaged file raises errors of zipfile, zlib, NumPy and the like
            raise VoiceError(f"the voice state {path} is damaged ({error!r})") from None
        if state.clip_sha256 != clip_sha256:
            raise VoiceError(f"the voice state {path} belongs to another clip")
        if state.version != version:
            raise VoiceError(f"the voice state {path} was made with other weights")
        return state
