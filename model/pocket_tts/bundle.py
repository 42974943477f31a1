"""`Bundle`: an ONNX export of Pocket TTS, five graphs with a description, `bundle.json`.

The layout is that of the exports of KevinAHM/pocket-tts-onnx since April 2026.
"""

from __future__ import annotations

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.pocket_tts.checkpoint import languages_of

EXTRA = "pocket-tts-onnx"
DESCRIPTION = "bundle.json"
GRAPHS = ("mimi_encoder", "text_conditioner", "flow_lm_main", "flow_lm_flow", "mimi_decoder")
MOST_STATE_BYTES = 1 << 30


class StateSpec(BaseModel):
    """One of the tensors that a graph takes and gives back. fill: what it holds at first"""

    model_config = ConfigDict(frozen=True)

    input_name: str
    output_name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "int64", "bool"]
    fill: Literal["zeros", "ones", "nan", "empty"]
    key: str = ""

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def filled(self) -> NDArray[Any]:
        value = {"ones": 1, "nan": np.nan}.get(self.fill, 0)
        return np.full(self.shape, value, np.dtype(self.dtype))


class Bundle(BaseModel):
    """What bundle.json says. Fields that are not needed are left out.

    latent_dim, conditioning_dim: widths of a frame and of the transformer
    """

    model_config = ConfigDict(frozen=True)

    language: str
    sample_rate: Literal[24_000]
    samples_per_frame: Literal[1920]
    latent_dim: int = Field(gt=0, le=4096)
    conditioning_dim: int = Field(gt=0, le=16_384)
    max_token_per_chunk: int = Field(default=50, gt=8, le=1000)
    tokenizer_file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    insert_bos_before_voice: bool = False
    bos_before_voice_file: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    remove_semicolons: bool = False
    pad_with_spaces_for_short_inputs: bool = False
    model_recommended_frames_after_eos: int | None = Field(default=None, ge=0, le=100)
    default_temperature: float | None = Field(default=None, ge=0, le=2)
    flow_lm_state_manifest: tuple[StateSpec, ...]
    mimi_state_manifest: tuple[StateSpec, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises BackendError when the description is missing or wrong."""
        path = folder / DESCRIPTION
        try:
            bundle = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise BackendError(f"cannot read {path}: {error.strerror}; download it again") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise BackendError(f"{path} is wrong at {place!r}: {first['msg'][:200]}; download it again") from None
        specs = bundle.flow_lm_state_manifest + bundle.mimi_state_manifest
        if (
            any(min(spec.shape, default=0) < 0 for spec in specs)
            or sum(spec.nbytes for spec in specs) > MOST_STATE_BYTES
        ):
            raise BackendError(
                f"{path} describes states of wrong sizes, or above {MOST_STATE_BYTES >> 20} MB; download it again"
            )
        return bundle

    @property
    def capacity(self) -> int:
        """Positions that the transformer can hold: of voice, text and sound together."""
        return min((spec.shape[2] for spec in self.flow_lm_state_manifest if len(spec.shape) == 5), default=0)

    @property
    def languages(self) -> tuple[str, ...]:
        return languages_of(self.language)


class Files:
    """The files of a bundle.

    folder: holds bundle.json, the graphs (`NAME_int8.onnx` is taken before `NAME.onnx`) and the tokenizer

    Raises MissingExtra without the extra `pocket-tts-onnx`, BackendError for a folder without these files.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.folder, self.bundle = folder, bundle
        self.tokenizer = folder / bundle.tokenizer_file
        needed = "tokenizers" if self.tokenizer.suffix == ".json" else "sentencepiece"
        if not (find_spec("onnxruntime") and find_spec(needed)):
            raise MissingExtra("speaking with an ONNX export of Pocket TTS", EXTRA)
        self.graphs = {name: self._graph(name) for name in GRAPHS}
        self.bos = folder / (bundle.bos_before_voice_file or "") if bundle.insert_bos_before_voice else None
        for path in (self.tokenizer, self.bos):
            if path is not None and not path.is_file():
                raise BackendError(f"{folder} is not a bundle of Pocket TTS: {path.name} is missing; download it again")

    @property
    def digest(self) -> str:
        """Of the files that a voice state depends on, in hexadecimal digits."""
        paths = (self.graphs["mimi_encoder"], self.bos)
        digest = hashlib.sha256()
        for path in paths:
            if path is not None:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _graph(self, name: str) -> Path:
        for path in (self.folder / f"{name}_int8.onnx", self.folder / f"{name}.onnx"):
            if path.is_file():
                return path
        raise BackendError(f"{self.folder} is not a bundle of Pocket TTS: {name}.onnx is missing; download it again")
