"""`TimbrePrompt`: what the decoder needs of a reference clip in order to speak in its voice, and its file format."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, VoiceError
from agentaudio.files import write_atomically
from agentaudio.model.step_audio_2.token2wav.speech_tokenizer import CODEBOOK

try:
    import safetensors.numpy
except ImportError as error:
    raise MissingExtra("a timbre prompt", "local") from error

EMBEDDING_SIZE = 192
MEL_BANDS = 80
MEL_FRAMES_PER_TOKEN = 2
FEWEST_TOKENS = 3
"""The decoder has a look-ahead of three tokens."""

FORMAT = 2
LARGEST_FILE = 16 << 20
"""Bytes; a prompt of 30 s takes half a megabyte."""
REMEDY = "delete it and it is made again"

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TimbrePrompt:
    """A reference clip in the form that the decoder takes. Immutable; prompts with the same content are equal.

    tokens: (n,) int32, 0 to 6560: the speech tokens of the clip, 25 a second, n >= 3
    embedding: (192,) float32: CAM++ speaker embedding, not normalised; the decoder normalises it
    mel: (2n, 80) float32: log-mel of the clip at 24 kHz, 50 frames a second
    clip_hash: `Audio.sha256` of the clip it was made from
    made_by: `PromptMaker.version`: a fingerprint of the networks and settings that made it
    warnings: problems of the clip, each a sentence to show to people
    content_hash: SHA-256 over all of the above, 64 hexadecimal digits

    Raises VoiceError for arrays of another shape, ids out of range, NaN or infinity.
    """

    tokens: NDArray[np.int32]
    embedding: NDArray[np.float32]
    mel: NDArray[np.float32]
    clip_hash: str = ""
    made_by: str = ""
    warnings: tuple[str, ...] = ()
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        tokens = np.asarray(self.tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu" or len(tokens) < FEWEST_TOKENS:
            raise VoiceError(f"a timbre prompt needs {FEWEST_TOKENS} or more integer tokens, not {_described(tokens)}")
        if tokens.min() < 0 or tokens.max() >= CODEBOOK:
            wrong = tokens[(tokens < 0) | (tokens >= CODEBOOK)][0]
            raise VoiceError(f"{wrong} is not a speech token; they are 0 to {CODEBOOK - 1}")
        frames = MEL_FRAMES_PER_TOKEN * len(tokens)
        object.__setattr__(self, "tokens", _frozen(tokens, np.int32))
        object.__setattr__(self, "embedding", _numbers("embedding", self.embedding, (EMBEDDING_SIZE,)))
        object.__setattr__(self, "mel", _numbers("mel", self.mel, (frames, MEL_BANDS)))
        object.__setattr__(self, "content_hash", self._hash())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file in one step: readers see the whole file or the one before.

        Raises VoiceError naming the path when it cannot be written.
        """
        path = Path(path)
        # A single entry: the order in which safetensors writes several differs between runs.
        metadata = {"timbre_prompt": json.dumps(self._words() | {"content_hash": self.content_hash})}
        write_atomically(path, safetensors.numpy.save(self._arrays(), metadata), error=VoiceError)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file of `save`, and compare it with the hash that it holds.

        Raises VoiceError naming the file when it is missing, cut short, changed or of another version.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
            if size > LARGEST_FILE:
                raise VoiceError(f"{path} is not a timbre prompt: it has {size} bytes; {REMEDY}")
            content = path.read_bytes()
        except OSError as error:
            raise VoiceError(f"cannot read the timbre prompt {path}: {error.strerror}; make it again") from None
        try:
            arrays = safetensors.numpy.load(content)
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            words = json.loads(header["__metadata__"]["timbre_prompt"])
            claimed, version = words.pop("content_hash"), words.pop("format")
            if version == FORMAT:
                prompt = cls(**arrays, **words | {"warnings": tuple(words["warnings"])})
                intact = prompt.content_hash == claimed
        except Exception:  # a damaged file can make the parsers raise anything
            raise VoiceError(f"the timbre prompt {path} is cut short or corrupt; {REMEDY}") from None
        if version != FORMAT:
            raise VoiceError(f"the timbre prompt {path} has format {version}, not {FORMAT}; {REMEDY}")
        if not intact:
            raise VoiceError(f"the timbre prompt {path} was changed after it was made; {REMEDY}")
        return prompt

    @property
    def nbytes(self) -> int:
        """The memory that its arrays take, in bytes."""
        return sum(array.nbytes for array in self._arrays().values())

    def _arrays(self) -> dict[str, Array]:
        return {"tokens": self.tokens, "embedding": self.embedding, "mel": self.mel}

    def _words(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "clip_hash": self.clip_hash,
            "made_by": self.made_by,
            "warnings": list(self.warnings),
        }

    def _hash(self) -> str:
        digest = hashlib.sha256(json.dumps(self._words(), sort_keys=True).encode())
        for array in self._arrays().values():
            digest.update(repr(array.shape).encode())
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, TimbrePrompt) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        return f"TimbrePrompt({len(self.tokens) / 25:.1f} s, {self.content_hash[:8]})"


def _numbers(name: str, array: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = np.asarray(array)
    if array.shape != shape or array.dtype.kind != "f":
        raise VoiceError(f"the {name} of a timbre prompt is float of shape {shape}, not {_described(array)}")
    if not np.isfinite(array).all():
        raise VoiceError(f"the {name} of a timbre prompt holds NaN or infinity; make it again from another clip")
    frozen: NDArray[np.float32] = _frozen(array, np.float32)
    return frozen


def _frozen(array: Array, dtype: type) -> Array:
    copy: Array = np.array(array, dtype, order="C")
    copy.flags.writeable = False
    return copy


def _described(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"


class TimbrePromptFormat:
    """How VoiceStates keeps timbre prompts in files; see StateFormat."""

    suffix = ".safetensors"

    def write(self, state: TimbrePrompt, path: Path) -> None:
        state.save(path)

    def read(self, path: Path, *, clip_sha256: str, version: str) -> TimbrePrompt:
        prompt = TimbrePrompt.load(path)
        if prompt.clip_hash != clip_sha256:
            raise VoiceError(f"the timbre prompt {path} was made of another clip; {REMEDY}")
        if prompt.made_by != version:
            raise VoiceError(f"the timbre prompt {path} was made by {prompt.made_by!r}, not {version!r}; {REMEDY}")
        return prompt
