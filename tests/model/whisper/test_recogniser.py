"""Recognition with the real weights of Whisper."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.ear import whisper_folder

from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio

REQUESTS = Path(__file__).resolve().parents[3] / "benchmarks" / "requests"


def request(number: int) -> tuple[Audio, str]:
    """A recorded request of the test set and its words."""
    one = json.loads((REQUESTS / "test.jsonl").read_text("utf-8").splitlines()[number])
    return Audio.load(REQUESTS / "audio" / f"{one['id']}.opus"), one["text"]


@pytest.fixture(scope="module")
async def base() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("base"))
    yield recogniser
    await recogniser.aclose()


async def test_recognises_a_request(base: WhisperRecogniser) -> None:
    audio, said = request(0)
    heard = await base.recognise(audio)
    assert heard.text.lower().strip(".?!") == said
    assert heard.language == "en" and heard.final


@pytest.mark.parametrize("rate", [8_000, 44_100])
async def test_recognises_sound_of_any_rate(base: WhisperRecogniser, rate: int) -> None:
    heard = await base.recognise(request(0)[0].resample(rate))
    assert heard.text.lower().startswith("please tell me about the great wall")


async def test_a_sound_without_samples_is_refused(base: WhisperRecogniser) -> None:
    with pytest.raises(AudioError, match="no samples"):
        await base.recognise(Audio.silence(0, 16_000))


async def test_a_closed_recogniser_refuses_and_closes_again() -> None:
    recogniser = WhisperRecogniser(Path("unused"))
    await recogniser.aclose()
    await recogniser.aclose()
    with pytest.raises(BackendError, match="closed"):
        await recogniser.recognise(Audio.silence(1, 16_000))


async def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="the extra neural is not installed")
    recogniser = WhisperRecogniser(tmp_path)
    with pytest.raises(BackendError, match="model.bin and config.json and tokenizer.json missing"):
        await recogniser.warm_up()
    await recogniser.aclose()


@pytest.mark.parametrize("options", [{"threads": 0}, {"beam": 0}, {"beam": 99}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="give a whole number from 1"):
        WhisperRecogniser(Path("unused"), **options)
