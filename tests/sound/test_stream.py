"""Sound that arrives in chunks comes out as the whole converted at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from numpy.typing import NDArray
from support.examples import share
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
rates = st.sampled_from(RATES)
Samples = NDArray[np.float32]


def noise(count: int, seed: int = 0) -> Samples:
    return (0.3 * np.random.default_rng(seed).standard_normal(count)).clip(-1, 1).astype(np.float32)


def converted(stream: PcmStream, chunks: list[Audio] | list[bytes] | list[Samples]) -> Audio:
    return Audio.concat([*(stream.push(chunk) for chunk in chunks), stream.finish()])


def signal_to_error_db(found: Samples, wanted: Samples) -> float:
    error = np.square(found.astype(np.float64) - wanted).sum()
    return float(10 * np.log10(np.square(wanted, dtype=np.float64).sum() / max(error, 1e-30)))


@pytest.mark.parametrize(("from_hz", "to_hz"), list(itertools.permutations(RATES, 2)))
def test_chunks_of_20_ms_have_no_seams(from_hz: int, to_hz: int) -> None:
    whole = Audio(noise(from_hz), from_hz)
    stream = PcmStream(to_hz)
    out = converted(stream, list(whole.chunks(20)))
    assert out == whole.resample(to_hz)
    # What this replaces: each chunk converted by itself.
    alone = np.concatenate([chunk.resample(to_hz).samples for chunk in whole.chunks(20)])[: len(out)]
    assert signal_to_error_db(alone, out.samples[: len(alone)]) < 60


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_a_tone_keeps_its_shape(rate: int) -> None:
    out = converted(PcmStream(24_000), list(tone(440, 1.0, rate).chunks(20)))
    # The ends ring, as a sound that begins at once has no band limit.
    inner = slice(2400, -2400)
    assert signal_to_error_db(out.samples[inner], tone(440, 1.0, 24_000).samples[inner]) > 90


@given(
    arrays(np.int16, st.integers(0, 3000), elements=st.integers(-32768, 32767)),
    rates,
    rates,
    st.lists(st.integers(0, 6000), max_size=12),
)
@settings(max_examples=share(80), deadline=None)
def test_any_cut_of_16_bit_sound_gives_the_same_samples(
    pcm: NDArray[np.int16], from_hz: int, to_hz: int, cuts: list[int]
) -> None:
    content = pcm.astype("<i2").tobytes()
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[begin:end] for begin, end in itertools.pairwise(edges)]
    out = converted(PcmStream(to_hz, from_hz=from_hz), pieces)
    assert out == Audio(pcm, from_hz).resample(to_hz)
    assert 2 * abs(len(out) * from_hz - len(pcm) * to_hz) <= from_hz  # the nearest number; one of two if both are


@given(st.lists(st.tuples(st.integers(0, 400), rates), min_size=1, max_size=8), rates)
@settings(max_examples=share(60), deadline=None)
def test_sound_whose_rate_changes_is_converted_run_by_run(parts: list[tuple[int, int]], to_hz: int) -> None:
    sounds = [Audio(noise(count, seed), rate) for seed, (count, rate) in enumerate(parts)]
    out = converted(PcmStream(to_hz), sounds)
    runs = itertools.groupby((sound for sound in sounds if len(sound)), key=lambda sound: sound.sample_rate)
    expected = [Audio.concat(run).resample(to_hz).samples for _, run in runs]
    np.testing.assert_array_equal(out.samples, np.concatenate([np.zeros(0, np.float32), *expected]))


def test_an_empty_chunk_of_another_rate_changes_nothing() -> None:
    sound = tone(duration_s=0.2)
    begin, end = sound.slice(0, 0.1), sound.slice(0.1)
    assert converted(PcmStream(24_000), [begin, Audio.silence(0, 48_000), end]) == sound.resample(24_000)


def test_bytes_arrays_and_audio_are_the_same_sound() -> None:
    sound = Audio.from_pcm16(tone(duration_s=0.3).to_pcm16(), 16_000)
    integers = np.frombuffer(sound.to_pcm16(), "<i2")
    outs = [
        converted(PcmStream(24_000, from_hz=16_000), [sound.to_pcm16()]),
        converted(PcmStream(24_000, from_hz=16_000), [integers]),
        converted(PcmStream(24_000, from_hz=16_000), [sound.samples]),
        converted(PcmStream(24_000), [sound]),
        PcmStream(24_000, from_hz=16_000).push(memoryview(sound.to_pcm16())),
    ]
    assert all(out == outs[0] for out in outs[:-1])
    assert outs[-1] == Audio(outs[0].samples[: len(outs[-1])], 24_000) and len(outs[-1]) > 0


def test_equal_rates_pass_through_without_delay() -> None:
    sound = tone(duration_s=0.1)
    stream = PcmStream(16_000)
    assert [stream.push(chunk) for chunk in sound.chunks(20)] == list(sound.chunks(20))
    assert len(stream.finish()) == 0


@pytest.mark.parametrize(("from_hz", "to_hz"), list(itertools.permutations(RATES, 2)))
def test_sound_leaves_within_the_documented_delay(from_hz: int, to_hz: int) -> None:
    stream, came_s, left_s, delay_s = PcmStream(to_hz), 0.0, 0.0, 0.0
    for chunk in Audio(noise(2 * from_hz), from_hz).chunks(5):
        came_s += chunk.duration
        left_s += stream.push(chunk).duration
        delay_s = max(delay_s, came_s - left_s)
    assert delay_s < (0.18 if min(from_hz, to_hz) < 16_000 else 0.06)


def test_half_a_sample_waits_for_its_other_half() -> None:
    stream = PcmStream(16_000, from_hz=16_000)
    assert len(stream.push(b"\x00")) == 0
    with pytest.raises(AudioError, match="half a 16-bit sample came before"):
        stream.push(np.zeros(3, np.float32))
    with pytest.raises(AudioError, match="ends in half a 16-bit sample"):
        stream.finish()
    for nothing in (b"", np.zeros(0, np.float32), Audio.silence(0, 24_000)):
        assert len(stream.push(nothing)) == 0
    assert stream.push(b"\x40").samples.tolist() == [0.5]
    assert len(stream.finish()) == 0


def test_nothing_may_be_pushed_after_the_end_until_a_reset() -> None:
    stream = PcmStream(24_000)
    first = converted(stream, [tone()])
    for chunk in (tone(), Audio.silence(0, 8_000)):
        with pytest.raises(AudioError, match="finished; call reset"):
            stream.push(chunk)
    with pytest.raises(AudioError, match="finished; call reset"):
        stream.finish()
    stream.reset()
    assert converted(stream, [tone()]) == first


def test_reset_drops_what_has_not_come_out() -> None:
    stream = PcmStream(24_000, from_hz=16_000)
    stream.push(noise(5000))
    stream.push(b"\x01")
    stream.reset()
    assert converted(stream, [tone()]) == tone().resample(24_000)


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (np.array([np.nan], np.float32), "NaN"),
        (np.array([20_000.0], np.float32), "full scale"),
        (np.zeros((4, 2), np.float32), r"shape \(4, 2\) is not one channel"),
        (np.float32(0.5), r"shape \(\) is not one channel"),
    ],
)
def test_a_refused_chunk_leaves_the_stream_as_it_was(chunk: Samples, words: str) -> None:
    sound = Audio(noise(3000), 16_000)
    stream = PcmStream(24_000, from_hz=16_000)
    begun = stream.push(sound.samples[:1000])
    with pytest.raises(AudioError, match=words):
        stream.push(chunk)
    assert Audio.concat([begun, stream.push(sound.samples[1000:]), stream.finish()]) == sound.resample(24_000)


def test_rates_are_checked_and_raw_sound_needs_one() -> None:
    for sample_rate, from_hz in ((0, None), (24_000, 10**9)):
        with pytest.raises(AudioError, match="sample rate"):
            PcmStream(sample_rate, from_hz=from_hz)
    for chunk in (b"", b"\0\0", np.zeros(2, np.float32)):
        with pytest.raises(AudioError, match="from_hz"):
            PcmStream(24_000).push(chunk)


def test_the_loudest_sound_is_converted() -> None:
    square = Audio(8.0 * np.sign(np.sin(np.arange(4000) / 9)), 16_000)
    assert converted(PcmStream(24_000), list(square.chunks(20))).peak == 8.0
    assert square.resample(24_000).peak == 8.0


class AnyStream(RuleBasedStateMachine):
    """A stream beside a record of what was pushed into it."""

    @initialize(from_hz=rates, to_hz=rates)
    def begin(self, from_hz: int, to_hz: int) -> None:
        self.from_hz, self.to_hz = from_hz, to_hz
        self.stream = PcmStream(to_hz, from_hz=from_hz)
        self._cleared()

    def _cleared(self) -> None:
        self.runs: list[tuple[int, list[Samples]]] = []
        self.half = b""
        self.out: list[Samples] = []
        self.finished = False

    def _pushed(self, samples: Samples, rate: int) -> None:
        if not len(samples):
            return
        if not self.runs or self.runs[-1][0] != rate:
            self.runs.append((rate, []))
        self.runs[-1][1].append(samples)

    def _expected(self) -> Samples:
        whole = [Audio(np.concatenate(run), rate).resample(self.to_hz).samples for rate, run in self.runs]
        return np.concatenate([np.zeros(0, np.float32), *whole])

    @precondition(lambda self: not self.finished)
    @rule(content=st.binary(max_size=700))
    def push_bytes(self, content: bytes) -> None:
        self.out.append(self.stream.push(content).samples)
        content = self.half + content
        cut = len(content) // 2 * 2
        self.half = content[cut:]
        self._pushed(Audio.from_pcm16(content[:cut], 8_000).samples, self.from_hz)

    @precondition(lambda self: not self.finished and not self.half)
    @rule(count=st.integers(0, 500), seed=st.integers(0, 9), rate=rates)
    def push_audio(self, count: int, seed: int, rate: int) -> None:
        self.out.append(self.stream.push(Audio(noise(count, seed), rate)).samples)
        self._pushed(noise(count, seed), rate)

    @precondition(lambda self: not self.finished and not self.half)
    @rule(count=st.integers(0, 500), seed=st.integers(0, 9))
    def push_array(self, count: int, seed: int) -> None:
        self.out.append(self.stream.push(noise(count, seed)).samples)
        self._pushed(noise(count, seed), self.from_hz)

    @precondition(lambda self: not self.finished)
    @rule()
    def finish(self) -> None:
        if self.half:
            with pytest.raises(AudioError, match="half a"):
                self.stream.finish()
            return
        self.out.append(self.stream.finish().samples)
        self.finished = True
        np.testing.assert_array_equal(np.concatenate(self.out), self._expected())

    @precondition(lambda self: self.finished)
    @rule(content=st.binary(max_size=4))
    def push_after_the_end(self, content: bytes) -> None:
        with pytest.raises(AudioError, match="finished"):
            self.stream.push(content)

    @rule()
    def reset(self) -> None:
        self.stream.reset()
        self._cleared()

    def teardown(self) -> None:
        if hasattr(self, "stream") and not self.finished:
            if self.half:
                self.push_bytes(b"\0")
            self.finish()


TestAnyStream = AnyStream.TestCase
TestAnyStream.settings = settings(max_examples=share(40), stateful_step_count=20, deadline=None)
