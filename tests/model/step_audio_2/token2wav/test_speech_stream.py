"""Speech from tokens, whole and streamed: every length, any chunks, several voices at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share

torch = pytest.importorskip("torch", reason="the decoder needs torch")
pytest.importorskip("yaml", reason="the decoder needs PyYAML")

from agentaudio.errors import BackendError, OptionError, VoiceError  # noqa: E402
from agentaudio.model.step_audio_2.token2wav import synthesis  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.chunks import speech_tokens  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.source import NOISE_WIDTH  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.stream import RECENT_FRAMES, RECENT_TOKENS, SpeechStream  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import TINY, random_flow, random_hift  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402

CONFIG = FlowConfig.from_dict(TINY)
DECODER = Token2Wav(random_flow(CONFIG), random_hift(16, 8), steps=2)


@dataclass(frozen=True)
class Voice:
    """A prompt of random numbers."""

    tokens: Any
    embedding: Any
    mel: Any
    content_hash: str


def voice(seed: int = 0, tokens: int = 6) -> Voice:
    random = np.random.default_rng(seed)
    ids = random.integers(0, 6561, tokens).astype(np.int32)
    embedding, mel = (random.standard_normal(shape, np.float32) for shape in (192, (2 * tokens, 80)))
    return Voice(ids, embedding, mel, f"{seed} {tokens}")


def ids(count: int, seed: int = 0) -> list[int]:
    drawn: list[int] = np.random.default_rng(seed).integers(0, 6561, count).tolist()
    return drawn


def streamed(tokens: list[int], prompt: Voice, *, by: int = 1, decoder: Token2Wav = DECODER, **options: Any) -> Any:
    stream = decoder.stream(prompt, **options)
    parts = [stream.feed(tokens[k : k + by]) for k in range(0, len(tokens), by)]
    return np.concatenate([*parts, stream.finish()])


LENGTHS = {10: [0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 27, 28, 29, 73, 74], 25: [1, 24, 25, 26, 27, 28, 29, 53]}
"""Tokens to speak, by the first chunk: around one chunk, around that and its look-ahead, and some more."""


@pytest.mark.parametrize(("first_chunk", "count"), [(first, n) for first, counts in LENGTHS.items() for n in counts])
def test_a_token_is_960_samples(first_chunk: int, count: int) -> None:
    tokens = ids(count)
    made = streamed(tokens, voice(), first_chunk=first_chunk)
    assert made.dtype == np.float32
    assert len(made) == 960 * count
    assert np.isfinite(made).all()
    assert np.array_equal(made, streamed(tokens, voice(), by=max(1, count), first_chunk=first_chunk))
    audio = DECODER.synthesize(tokens, voice())
    assert isinstance(audio, Audio)
    assert (audio.sample_rate, len(audio)) == (24_000, 960 * count)
    assert not count or not audio.is_silent


@settings(max_examples=share(10))
@given(st.lists(st.integers(0, 40), max_size=6))
def test_sound_does_not_depend_on_how_tokens_are_handed_over(sizes: list[int]) -> None:
    tokens, stream, parts, done = ids(sum(sizes)), DECODER.stream(voice()), [], 0
    for size in sizes:
        parts.append(stream.feed(np.array(tokens[done : done + size], np.int64)))
        done += size
    assert np.array_equal(np.concatenate([*parts, stream.finish()]), streamed(tokens, voice()))


def test_sound_comes_as_soon_as_a_chunk_is_ready_and_chunks_grow() -> None:
    stream, ready = DECODER.stream(voice(), first_chunk=8), []
    for k, token in enumerate(ids(120), start=1):
        if len(stream.feed(token)):
            ready.append(k)
    assert ready == [11, 21, 36, 56, 81, 106]


def test_ids_without_sound_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    tokens = ids(30)
    stream = DECODER.stream(voice())
    spoiled = [*tokens[:7], 6561, *tokens[7:20], -1, 6655, *tokens[20:]]
    made = np.concatenate([stream.feed(spoiled[:9]), stream.feed(spoiled[9:]), stream.finish()])
    assert stream.dropped == 3
    assert np.array_equal(made, streamed(tokens, voice()))
    assert DECODER.synthesize(spoiled, voice()) == DECODER.synthesize(tokens, voice())
    assert "3 of 33 speech tokens" in caplog.text


@pytest.mark.parametrize("nonsense", ["speech", [1.5], [[1, 2]], [[1], [2, 3]], [None], [10**30], {"a": 1}])
def test_invalid_tokens_are_refused(nonsense: Any) -> None:
    stream = DECODER.stream(voice())
    with pytest.raises(BackendError, match="not speech tokens"):
        stream.feed(nonsense)
    with pytest.raises(BackendError, match="not speech tokens"):
        DECODER.synthesize(nonsense, voice())
    assert len(stream.finish()) == 0


def test_a_finished_stream_is_over() -> None:
    stream = DECODER.stream(voice())
    stream.finish()
    with pytest.raises(BackendError, match="finished"):
        stream.feed(1)
    with pytest.raises(BackendError, match="finished"):
        stream.switch(voice())
    with pytest.raises(BackendError, match="finished"):
        stream.finish()


class Recorded:
    """Noise that keeps which rows were read."""

    def __init__(self, width: int) -> None:
        self._noise = SeededNoise(width, 0)
        self.rows_read: list[tuple[int, int]] = []

    def rows(self, start: int, count: int) -> Any:
        self.rows_read.append((start, count))
        return self._noise.rows(start, count)


FRAMES = [16, 20, 30, 40, 50, 50, 50, 44]
"""Of the chunks that 150 tokens make."""


def recorded(reference: bool) -> tuple[SpeechStream, Recorded, Recorded]:
    """A stream of 150 tokens in a voice of 6, and the noise that it read."""
    flow, source = Recorded(80), Recorded(NOISE_WIDTH)
    stream = SpeechStream(
        DECODER.flow,
        DECODER.vocoder,
        lambda prompt: DECODER.start(prompt, 1),
        voice(),
        flow_noise=flow,
        source_noise=source,
        reference=reference,
    )
    stream.feed(ids(150))
    stream.finish()
    return stream, flow, source


def test_noise_goes_on_from_chunk_to_chunk() -> None:
    stream, flow, source = recorded(reference=False)
    assert flow.rows_read == list(zip([12, 28, 48, 78, 118, 168, 218, 268], FRAMES, strict=True))
    # The vocoder repeats 8 frames in each window but the first.
    starts = [0, 8, 28, 58, 98, 148, 198, 248]
    assert source.rows_read == list(zip(starts, [16, *(count + 8 for count in FRAMES[1:])], strict=True))


def test_the_published_decoder_repeats_its_noise_and_keeps_all_tokens() -> None:
    stream, flow, _ = recorded(reference=True)
    assert flow.rows_read == list(zip([12, 28, 48, 78, 112, 112, 112, 112], FRAMES, strict=True))
    assert {keys.shape[-2] for keys in stream._state.encoder.token_keys} == {6 + 150}


def test_noise_goes_on_in_another_voice() -> None:
    flow = Recorded(80)
    stream = SpeechStream(
        DECODER.flow,
        DECODER.vocoder,
        lambda prompt: DECODER.start(prompt, 1),
        voice(),
        flow_noise=flow,
        source_noise=Recorded(NOISE_WIDTH),
    )
    stream.feed(ids(7))
    stream.switch(voice(1, tokens=4))
    stream.feed(ids(13))
    assert flow.rows_read == [(12, 14), (8 + 14, 16)]


def test_the_first_and_last_codes_have_a_sound() -> None:
    kept, dropped = speech_tokens([-1, 0, 6560, 6561], 6561)
    assert kept.tolist() == [0, 6560] and kept.dtype == np.int64 and dropped == 2
    assert [part.tolist() if isinstance(part, np.ndarray) else part for part in speech_tokens(5, 6561)] == [[5], 0]


@pytest.mark.parametrize(("first_chunk", "ready"), [(5, [8, 18, 33, 53, 78, 103]), (25, [28, 53, 78, 103])])
def test_the_smallest_and_the_largest_first_chunk(first_chunk: int, ready: list[int]) -> None:
    stream = DECODER.stream(voice(), first_chunk=first_chunk, steps=1)
    assert [k for k, token in enumerate(ids(105), start=1) if len(stream.feed(token))] == ready


def test_a_stream_begins_with_eight_tokens_by_default() -> None:
    stream = DECODER.stream(voice(), steps=1)
    assert [k for k, token in enumerate(ids(30), start=1) if len(stream.feed(token))] == [11, 21]


ONSET = 50
"""Samples in which a voice sets in from nothing."""


def loudest_step(samples: Any) -> float:
    return float(np.abs(np.diff(samples)).max())


def test_chunk_borders_are_as_smooth_as_the_rest() -> None:
    made = streamed(ids(110), voice())
    for border in 960 * np.cumsum([10, 15, 20, 25, 25]):
        near = made[border - 3840 - 10 : border + 10]
        assert loudest_step(near) <= 1.05 * loudest_step(made[max(ONSET, border - 14_400) : border - 3850])


@pytest.mark.parametrize("before", [0, 1, 3, 9, 10, 12, 13, 20, 28, 40])
def test_the_voice_changes_in_mid_stream_without_a_click_or_a_lost_sample(before: int) -> None:
    tokens, stream = ids(before + 40), DECODER.stream(voice(0))
    parts = [stream.feed(tokens[:before]), stream.switch(voice(1))]
    parts += [stream.feed(tokens[before:]), stream.finish()]
    made = np.concatenate(parts)
    assert len(made) == 960 * len(tokens)
    same = 960 * max(0, before - 4)  # the last 8 frames of the first voice are faded into the second
    alone = streamed(tokens[:before], voice(0))
    assert np.array_equal(made[:same], alone[:same])
    other = streamed(tokens, voice(0))
    assert not np.allclose(made[960 * before + 3840 :], other[960 * before + 3840 :], atol=1e-5)
    seam = made[max(ONSET, 960 * before - 3850) : 960 * before + 3850]
    assert loudest_step(seam) <= 1.05 * loudest_step(made[960 * before + 3850 :])


def test_chunks_start_small_again_in_another_voice() -> None:
    stream = DECODER.stream(voice(0), first_chunk=8)
    stream.feed(ids(60))
    stream.switch(voice(1))
    assert [len(stream.feed(token)) > 0 for token in ids(11)] == [False] * 10 + [True]


def test_a_stream_may_end_with_a_change_of_voice() -> None:
    stream = DECODER.stream(voice(0))
    made = [stream.feed(ids(5)), stream.switch(voice(1)), stream.switch(voice(2)), stream.finish()]
    assert np.array_equal(np.concatenate(made), streamed(ids(5), voice(0)))


def test_sixteen_streams_in_four_voices_sound_as_if_each_were_alone() -> None:
    jobs = [(ids(20 + k, seed=k), voice(k % 4), k % 3) for k in range(16)]
    alone = [
        streamed(tokens, prompt, by=7, seed=seed, decoder=Token2Wav(DECODER.flow, DECODER.vocoder, steps=2))
        for tokens, prompt, seed in jobs
    ]
    shared = Token2Wav(DECODER.flow, DECODER.vocoder, steps=2)
    together: dict[int, Any] = {}
    begin = threading.Barrier(len(jobs))

    def speak(k: int) -> None:
        begin.wait()
        tokens, prompt, seed = jobs[k]
        together[k] = streamed(tokens, prompt, by=7, seed=seed, decoder=shared)

    threads = [threading.Thread(target=speak, args=(k,)) for k in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(together[k], alone[k]) for k in range(len(jobs)))


def test_no_chunk_of_a_closed_stream_is_computed_with_those_of_others() -> None:
    shared = Token2Wav(DECODER.flow, DECODER.vocoder, steps=2, rows=2)
    given_up, other = shared.stream(voice()), shared.stream(voice(1))
    given_up.close()
    with pytest.raises(BackendError, match="the stream of speech was closed"):
        given_up.feed(ids(40))
    assert len(other.feed(ids(40)))


def test_streams_that_take_turns_do_not_hear_each_other() -> None:
    tokens = ids(60)
    streams = [DECODER.stream(voice(k)) for k in range(3)]
    parts: list[list[Any]] = [[], [], []]
    for token in tokens:
        for stream, made in zip(streams, parts, strict=True):
            made.append(stream.feed(token))
    for k, (stream, made) in enumerate(zip(streams, parts, strict=True)):
        assert np.array_equal(np.concatenate([*made, stream.finish()]), streamed(tokens, voice(k)))


def test_memory_does_not_grow_with_the_length_of_a_stream() -> None:
    prompt = voice(tokens=60)
    stream, sizes = DECODER.stream(prompt, steps=1), []
    for k in range(32):
        stream.feed(ids(25, seed=k))
        sizes.append(stream.nbytes)
    assert stream.nbytes > stream._state.nbytes, "and what the vocoder keeps"
    full = RECENT_TOKENS // 25 + 2
    assert len(set(sizes[full:])) == 1
    assert (RECENT_FRAMES, RECENT_TOKENS) == (100, 500), "2 s, as in the reference, and 20 s"
    frames = 2 * len(prompt.tokens) + RECENT_FRAMES
    depth, pair, heads, both, size = CONFIG.estimator.depth, 2, CONFIG.estimator.num_heads, 2, 16
    assert stream._state.past[0].shape == (depth, pair, heads, frames, both * size)
    assert {keys.shape[-2] for keys in stream._state.encoder.token_keys} == {len(prompt.tokens) + RECENT_TOKENS}


def test_utterances_too_long_for_one_pass_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "LONGEST_WHOLE", 40)
    assert np.array_equal(DECODER.synthesize(ids(41), voice()).samples, streamed(ids(41), voice()))
    assert not np.array_equal(DECODER.synthesize(ids(40), voice()).samples, streamed(ids(40), voice()))


def test_seed_steps_and_voice_each_change_the_sound() -> None:
    tokens = ids(20)
    options: list[dict[str, Any]] = [{}, {"seed": 1}, {"steps": 3}, {}]
    made = [DECODER.synthesize(tokens, voice(), **how) for how in options]
    assert made[0] == made[3]
    assert len({*made, DECODER.synthesize(tokens, voice(1))}) == 4
    assert not np.array_equal(streamed(tokens, voice()), streamed(tokens, voice(), seed=1))


@pytest.mark.parametrize(
    ("options", "named"),
    [({"steps": 0}, "steps 0"), ({"steps": True}, "steps True"), ({"steps": 1000}, "steps 1000"),
     ({"seed": -1}, "seed -1"), ({"seed": 0.5}, "seed 0.5")],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(options: dict[str, Any], named: str) -> None:
    for speak in (lambda: DECODER.synthesize([1], voice(), **options), lambda: DECODER.stream(voice(), **options)):
        with pytest.raises(OptionError, match=named):
            speak()
    for chunk in (0, 4, 26, 10.0, True):
        with pytest.raises(OptionError, match=f"first_chunk {chunk}"):
            DECODER.stream(voice(), first_chunk=chunk)  # type: ignore[arg-type, unused-ignore]


def test_a_prompt_of_another_decoder_is_refused() -> None:
    good = voice()
    wrong = [
        Voice(good.tokens[:2], good.embedding, good.mel[:4], "short"),
        Voice(good.tokens, good.embedding[:100], good.mel, "embedding"),
        Voice(good.tokens, good.embedding, good.mel[:-1], "mel"),
        Voice(good.tokens + 6561, good.embedding, good.mel, "ids"),
    ]
    for prompt in wrong:
        with pytest.raises(VoiceError):
            DECODER.synthesize(ids(5), prompt)
        with pytest.raises(VoiceError):
            DECODER.stream(prompt)
    stream = DECODER.stream(good)
    parts = [stream.feed(ids(8))]
    with pytest.raises(VoiceError):
        stream.switch(wrong[0])
    assert np.array_equal(np.concatenate([*parts, stream.finish()]), streamed(ids(8), good))


def test_a_voice_is_prepared_once_and_the_memory_for_them_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Token2Wav(DECODER.flow, DECODER.vocoder, steps=1)
    first = decoder.start(voice(0), 1)
    monkeypatch.setattr(synthesis, "MOST_STARTS_BYTES", 4 * first.nbytes)
    assert decoder.start(voice(0), 1) is first
    assert decoder.start(voice(0), 2) is not first
    for k in range(1, 5):
        decoder.start(voice(k), 1)
    assert decoder.start(voice(0), 1) is not first
    monkeypatch.setattr(synthesis, "MOST_STARTS_BYTES", 0)
    last = decoder.start(voice(7), 1)
    assert decoder.start(voice(7), 1) is last, "the voice in use is kept whatever it takes"
    decoder.forget(voice(7))
    assert decoder.start(voice(7), 1) is not last


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_comes_near(dtype: Any) -> None:
    half = Token2Wav(random_flow(CONFIG).to(dtype), DECODER.vocoder, steps=2)
    tokens = ids(30)
    rough = streamed(tokens, voice(), decoder=half)
    assert rough.dtype == np.float32
    assert np.corrcoef(rough, streamed(tokens, voice()))[0, 1] > 0.99
    whole = half.synthesize(tokens, voice()).samples
    assert np.corrcoef(whole, DECODER.synthesize(tokens, voice()).samples)[0, 1] > 0.99


def test_a_compiled_estimator_says_the_same() -> None:
    config = FlowConfig.from_dict({**TINY, "decoder": {"estimator": {**TINY["decoder"]["estimator"], "depth": 1}}})
    plain = Token2Wav(random_flow(config), DECODER.vocoder, steps=1)
    flow = random_flow(config)
    # What `compile=True` does, less the code generation, which takes most of a minute.
    flow.estimator.compile(dynamic=True, backend="eager")
    compiled = Token2Wav(flow, DECODER.vocoder, steps=1)
    made = streamed(ids(45), voice(), decoder=compiled)
    np.testing.assert_allclose(made, streamed(ids(45), voice(), decoder=plain), atol=1e-5)
