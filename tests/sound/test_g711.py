"""G.711 compared with libsndfile, sample by sample."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from agentaudio.sound.g711 import SILENCE, Law, decode_g711, encode_g711

LAWS: list[tuple[Law, str]] = [("mu", "ULAW"), ("a", "ALAW")]


@pytest.mark.parametrize(("law", "subtype"), LAWS)
def test_every_16_bit_value_and_every_byte_is_converted_as_libsndfile_does(law: Law, subtype: str) -> None:
    values = np.arange(-32_767, 32_768, dtype=np.int16)
    file = io.BytesIO()
    soundfile.write(file, values, 8_000, format="RAW", subtype=subtype)
    ours = np.frombuffer(encode_g711((values / 32_767.0).astype(np.float32), law), np.uint8)
    theirs = np.frombuffer(file.getvalue(), np.uint8)
    # libsndfile cuts negative values to 14 bits in another direction, so some lie one step apart.
    both = [decode_g711(codes.tobytes(), law) * 32_768 for codes in (ours, theirs)]
    assert np.mean(ours == theirs) > 0.99
    assert np.max(np.abs(both[0] - values) - np.abs(both[1] - values)) <= 8

    codes = bytes(range(256))
    read, _ = soundfile.read(
        io.BytesIO(codes), format="RAW", subtype=subtype, samplerate=8_000, channels=1, dtype="float32"
    )
    np.testing.assert_array_equal(decode_g711(codes, law), read)


@pytest.mark.parametrize("law", ["mu", "a"])
def test_silence_has_its_own_byte_and_too_loud_sound_is_clipped(law: Law) -> None:
    assert encode_g711(np.zeros(3, np.float32), law) == bytes([SILENCE[law]] * 3)
    assert abs(decode_g711(bytes([SILENCE[law]]), law)[0]) < 0.001
    loud = decode_g711(encode_g711(np.array([2.0, -2.0], np.float32), law), law)
    np.testing.assert_allclose(loud, [0.98, -0.98], atol=0.02)
