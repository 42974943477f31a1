"""A library whose database holds values that this package never writes raises VoiceError."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from agentaudio.errors import VoiceError
from agentaudio.voice_library.database import FILE
from agentaudio.voice_library.library import VoiceLibrary


def changed(library: VoiceLibrary, change: str) -> VoiceLibrary:
    library.close()
    db = sqlite3.connect(library.folder / FILE)
    with db:
        db.execute(change)
    db.close()
    return VoiceLibrary(library.folder)


def use(library: VoiceLibrary) -> None:
    assert library.generation >= 0 and library.dim >= 0 and library.encoder_name is None
    library.at(library.select(purpose="synthesis"))
    list(library.embeddings())


def test_an_undamaged_library_is_read(library: VoiceLibrary) -> None:
    use(changed(library, "UPDATE about SET value = '3' WHERE key = 'generation'"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE about SET value = '-1' WHERE key = 'policy'", "UPDATE about SET value = '[]' WHERE key = 'policy'",
        "UPDATE about SET value = 'x' WHERE key = 'policy'", "DELETE FROM about WHERE key = 'policy'",
        "UPDATE about SET value = 'many' WHERE key = 'generation'", "DELETE FROM about",
        "UPDATE about SET value = 'inf' WHERE key = 'dim'", "UPDATE cards SET card = '[]'",
        "UPDATE about SET value = CAST(x'ff' AS TEXT) WHERE key = 'policy'",
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_a_voice_error(library: VoiceLibrary, change: str) -> None:
    with pytest.raises(VoiceError) as refused:
        use(changed(library, change))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("vector", ["x'00'", "x''", "'text'", "x'0000000000000000'"])
def test_embeddings_of_another_size_are_a_voice_error(library: VoiceLibrary, vector: str) -> None:
    unit = np.eye(1, 4, dtype=np.float32)[0].tobytes().hex()
    broken = changed(library, "UPDATE about SET value = '4' WHERE key = 'dim'")
    broken = changed(broken, "UPDATE about SET value = 'e' WHERE key = 'encoder'")
    broken = changed(broken, f"INSERT INTO embeddings SELECT row, 'e', x'{unit}' FROM voices LIMIT 1")
    assert [rows.shape for _, rows in broken.embeddings()] == [(1, 4)]
    with pytest.raises(VoiceError, match="damaged: its embeddings do not all have 4 numbers"):
        list(changed(broken, f"UPDATE embeddings SET vector = {vector}").embeddings())
