"""The recogniser on the package faster-whisper."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.ear import request, whisper_folder, words

from agentaudio.errors import BackendError
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.faster_whisper import load
from agentaudio.sound.audio import Audio


@pytest.mark.skipif(find_spec("faster_whisper") is not None, reason="faster-whisper is installed")
def test_without_the_package_the_command_is_named() -> None:
    with pytest.raises(BackendError, match="pip install faster-whisper; or use 'whisper'"):
        load("base")


@pytest.mark.skipif(find_spec("faster_whisper") is None, reason="faster-whisper is not installed")
async def test_recognises_speech_and_hears_nothing_in_silence(tmp_path: Path) -> None:
    recogniser = load(str(whisper_folder("tiny.en")), device="cpu", compute_type="int8")
    await recogniser.warm_up()
    audio, said = request(0)
    heard = await recogniser.recognise(audio, hint=("tell me about the Great Wall",))
    assert words(heard.text) == words(said) and heard.language == "en"
    assert heard.confidence is not None and 0 < heard.confidence <= 1
    assert await recogniser.recognise(Audio.silence(2, 16_000)) == Recognition("")
    many = asyncio.ensure_future(recogniser.recognise(Audio.concat([audio] * 40)))
    await asyncio.sleep(0.5)
    many.cancel()
    with pytest.raises(asyncio.CancelledError):
        await many
    await recogniser.aclose()
    unusable = load(str(tmp_path), device="cpu")
    with pytest.raises(BackendError, match="faster-whisper cannot load"):
        await unusable.warm_up()
    await unusable.aclose()
