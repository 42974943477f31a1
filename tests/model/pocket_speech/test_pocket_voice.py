"""Files of Pocket TTS's voice states: read as they were written, or not at all."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import VoiceError
from agentaudio.model.pocket_tts.voice import LARGEST_BYTES, PocketVoice, PocketVoiceFormat

STATE = PocketVoice(
    "abc", "1-torch-1", {"layer.0/cache": np.arange(6, dtype=np.float32), "layer.0/offset": np.array([3])}
)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.npz"
    PocketVoiceFormat().write(STATE, path)
    read = PocketVoiceFormat().read(path, clip_sha256="abc", version="1-torch-1")
    assert (read.clip_sha256, read.version, read.nbytes) == ("abc", "1-torch-1", STATE.nbytes)
    assert all(np.array_equal(read.arrays[name], STATE.arrays[name]) for name in STATE.arrays)


def test_states_of_other_clips_and_weights_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    PocketVoiceFormat().write(STATE, path)
    for clip, version, said in (("x", "1-torch-1", "another clip"), ("abc", "2", "other weights")):
        with pytest.raises(VoiceError, match=said):
            PocketVoiceFormat().read(path, clip_sha256=clip, version=version)
    whole = path.read_bytes()
    for length in range(0, len(whole), 40):
        path.write_bytes(whole[:length])
        with pytest.raises(VoiceError, match="is damaged"):
            PocketVoiceFormat().read(path, clip_sha256="abc", version="1-torch-1")


def test_pickled_objects_and_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    np.savez(path, clip_sha256="abc", version="1", evil=np.array([object()], dtype=object))
    with pytest.raises(VoiceError, match="is damaged"):
        PocketVoiceFormat().read(path, clip_sha256="abc", version="1")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (LARGEST_BYTES,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("bomb.npy", "w") as file:
        file.write(header.getvalue())
        for _ in range(LARGEST_BYTES >> 20):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(VoiceError, match="larger than 256 MB"):
        PocketVoiceFormat().read(path, clip_sha256="abc", version="1")
