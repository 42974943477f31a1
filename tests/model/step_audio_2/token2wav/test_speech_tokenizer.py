"""The speech tokenizer: number of tokens, long sound in windows, and streamed sound."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.examples import share
from support.sounds import tone

from agentaudio.errors import BackendError
from agentaudio.model.step_audio_2.token2wav.speech_tokenizer import SpeechTokenizer, merged, windows
from agentaudio.sound.audio import Audio

pytest.importorskip("onnx", reason="the extra local is not installed")
pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")

from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx  # noqa: E402

QUESTIONS = Path(str(files("agentaudio.demo") / "questions"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> SpeechTokenizer:
    return SpeechTokenizer(write_tiny_onnx(tmp_path_factory.mktemp("tiny")) / "speech_tokenizer_v2_25hz.onnx")


@pytest.fixture(scope="module")
def speech() -> Audio:
    return Audio.concat(
        [
            Audio.load(QUESTIONS / f"{name}.flac", sample_rate=16_000)
            for name in ("great-wall", "calm-old-man", "time-in-tokyo", "scottish-man")
        ]
    )


@pytest.mark.parametrize(
    ("samples", "count"),
    [(0, 0), (1, 0), (159, 0), (160, 1), (201, 1), (640, 1), (799, 1), (800, 2), (16_000, 25), (480_000, 750)],
)
def test_count_is_one_for_every_40_ms_begun_in_whole_10_ms(
    tokenizer: SpeechTokenizer, samples: int, count: int
) -> None:
    tokens = tokenizer.tokenize(Audio(np.random.default_rng(0).normal(0, 0.1, samples), 16_000))
    assert tokens.shape == (count,) and tokens.dtype == np.int32


def test_tokens_depend_on_the_sound(tokenizer: SpeechTokenizer, speech: Audio) -> None:
    tokens = tokenizer.tokenize(speech)
    assert tokens.min() >= 0 and tokens.max() < 6561
    assert len(set(tokens.tolist())) > 100
    np.testing.assert_array_equal(tokens, tokenizer.tokenize(speech))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_any_rate_gives_as_many_tokens(tokenizer: SpeechTokenizer, rate: int) -> None:
    assert len(tokenizer.tokenize(tone(220, 2.0, rate))) == 50


@given(st.integers(0, 20_000))
@example(8001)
def test_windows_join_to_every_token_once_and_in_order(frames: int) -> None:
    cut = windows(frames)
    assert all(end - start <= 3000 for start, end in cut)
    joined = merged([np.arange(start // 4, -(-end // 4), dtype=np.int32) for start, end in cut])
    np.testing.assert_array_equal(joined, np.arange(-(-frames // 4)))


def test_long_sound_is_tokenised_in_windows(tokenizer: SpeechTokenizer, speech: Audio) -> None:
    long = Audio.concat([speech] * 5)
    tokens = tokenizer.tokenize(long)
    assert len(tokens) == -(-(len(long) // 160) // 4) > 1500
    # The tiny network looks one token far: inside the windows nothing but rounding can differ.
    first = tokenizer.tokenize(long.slice(0, 29.0))
    assert np.mean(first[:700] == tokens[:700]) > 0.9


@settings(max_examples=share(15))
@given(st.lists(st.integers(0, 40_000), max_size=6))
def test_the_stream_gives_the_same_tokens_for_any_chunks(
    tokenizer: SpeechTokenizer, speech: Audio, sizes: list[int]
) -> None:
    def streamed(parts: list[np.ndarray]) -> np.ndarray:
        stream = tokenizer.stream()
        given = [stream.push(Audio(part, 16_000)) for part in parts]
        return np.concatenate([*given, stream.finish()])

    samples = speech.samples[:100_000]
    cut = streamed(np.split(samples, np.minimum(np.cumsum(sizes, dtype=int), len(samples))))
    np.testing.assert_array_equal(cut, streamed([samples]))
    assert len(cut) == 157


def test_stream_of_short_sound_is_the_whole(tokenizer: SpeechTokenizer, speech: Audio) -> None:
    short = speech.slice(0, 1.5)
    stream = tokenizer.stream()
    given = [stream.push(piece) for piece in short.chunks(100)]
    np.testing.assert_array_equal(np.concatenate([*given, stream.finish()]), tokenizer.tokenize(short))


def test_most_tokens_of_the_stream_equal_those_of_the_whole(tokenizer: SpeechTokenizer, speech: Audio) -> None:
    stream = tokenizer.stream()
    given = [stream.push(piece) for piece in speech.chunks(100)]
    tokens = np.concatenate([*given, stream.finish()])
    whole = tokenizer.tokenize(speech)
    assert tokens.shape == whole.shape
    assert np.mean(tokens == whole) > 0.5


def test_stream_is_at_most_1600_ms_late(tokenizer: SpeechTokenizer, speech: Audio) -> None:
    stream, given, heard = tokenizer.stream(), 0, 0.0
    for piece in speech.chunks(50):
        given, heard = given + len(stream.push(piece)), heard + piece.duration
        assert heard - given / 25 < 1.6 + 0.05


def test_stream_takes_pieces_of_changing_rate(tokenizer: SpeechTokenizer) -> None:
    stream = tokenizer.stream()
    given = [stream.push(tone(200, 1.0, rate)) for rate in (16_000, 48_000, 8_000)]
    assert sum(map(len, [*given, stream.finish()])) == 75


def test_an_empty_stream_has_no_tokens(tokenizer: SpeechTokenizer) -> None:
    assert tokenizer.stream().finish().shape == (0,)


def test_a_truncated_or_foreign_file_is_named(tokenizer: SpeechTokenizer, tmp_path: Path) -> None:
    folder = write_tiny_onnx(tmp_path)
    with pytest.raises(BackendError, match=r"campplus\.onnx is another network"):
        SpeechTokenizer(folder / "campplus.onnx").tokenize(tone())
    path = folder / "speech_tokenizer_v2_25hz.onnx"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(BackendError, match=r"speech_tokenizer_v2_25hz\.onnx is truncated"):
        SpeechTokenizer(path).tokenize(tone())
    with pytest.raises(BackendError, match="missing"):
        SpeechTokenizer(tmp_path / "absent").tokenize(tone())
