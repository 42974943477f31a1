"""The agent's own sound is taken out of the microphone's, and the user's is left."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.echo import EchoGuard
from agentaudio.live.echo_match import BLOCK

Samples = NDArray[np.float32]

RATE = 16_000
LEARNS_S = 2.0


@cache
def speech(name: str, seconds: float) -> Samples:
    """The speech of a demo question, again and again, at a peak of 0.3."""
    sound = Audio.load(questions_folder() / f"{name}.flac").resample(RATE).samples
    voiced = sound[np.flatnonzero(np.abs(sound) > 0.02)[0] : np.flatnonzero(np.abs(sound) > 0.02)[-1]]
    whole = np.tile(voiced, 1 + round(seconds * RATE) // len(voiced))[: round(seconds * RATE)]
    return np.asarray(whole * (0.3 / np.max(np.abs(whole))), np.float32)


def echo_of(
    played: Samples, delay_ms: float, *, level_db: float = -15.0, decay_s: float = 0.2, seed: int = 1
) -> Samples:
    """The loudspeaker in the microphone: late, and with the reverberation of a room."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(decay_s * RATE)) / RATE
    response = 0.05 * rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay_s)
    response[0] = 1.0
    response *= 10 ** (level_db / 20) / np.sqrt(np.sum(response**2))
    late = np.concatenate([np.zeros(round(delay_ms * RATE / 1000), np.float32), played])[: len(played)]
    return np.convolve(late, response)[: len(played)].astype(np.float32)


def floor(count: int) -> Samples:
    return (1e-4 * np.random.default_rng(2).standard_normal(count)).astype(np.float32)


def guarded(guard: EchoGuard, mic: Samples, played: Samples, *, inaudible: float = 0.0) -> Samples:
    """What is left, in blocks as a microphone sends them."""
    blocks = [slice(at, at + BLOCK) for at in range(0, len(mic) - BLOCK + 1, BLOCK)]
    return np.concatenate([guard.push(mic[block], played[block], inaudible=inaudible) for block in blocks])


def level_db(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-12))


@pytest.mark.parametrize("delay_ms", (0, 35, 120, 250))
def test_the_echo_is_taken_out_once_it_has_been_heard_for_two_seconds(delay_ms: float) -> None:
    played = speech("great-wall", 6)
    echo = echo_of(played, delay_ms)
    left = guarded(EchoGuard(), echo + floor(len(echo)), played)
    at = round(LEARNS_S * RATE)
    assert level_db(echo[at : len(left)]) - level_db(left[at:]) >= 15


@pytest.mark.parametrize("delay_ms", (50, 200))
def test_a_user_who_talks_over_the_agent_is_left_as_loud_as_without_it(delay_ms: float) -> None:
    played = speech("great-wall", 7)
    echo = echo_of(played, delay_ms, level_db=-20)
    user = np.zeros(len(played), np.float32)
    at = 4 * RATE
    said = speech("time-in-tokyo", 2)
    user[at : at + len(said)] = said
    left = guarded(EchoGuard(), echo + user + floor(len(echo)), played)
    assert level_db(left[at : at + len(said)]) == pytest.approx(level_db(said), abs=1)


def test_a_changed_delay_is_learnt_again() -> None:
    played = speech("great-wall", 10)
    half = 5 * RATE
    echo = np.concatenate([echo_of(played[:half], 60), echo_of(played[half:], 180)])
    left = guarded(EchoGuard(), echo + floor(len(echo)), played)
    at = half + round(2.5 * RATE)
    assert level_db(echo[at : len(left)]) - level_db(left[at:]) >= 15


def test_without_sound_of_the_agent_the_microphone_is_left_untouched() -> None:
    said = speech("time-in-tokyo", 2)
    left = guarded(EchoGuard(), said, np.zeros(len(said), np.float32))
    assert np.array_equal(left, said[: len(left)])


def test_the_tail_of_the_own_voice_is_taken_out_after_the_agent_has_ended() -> None:
    played = speech("great-wall", 5)
    played = np.concatenate([played, np.zeros(RATE, np.float32)])
    echo = echo_of(played, 250, decay_s=0.3)
    left = guarded(EchoGuard(), echo + floor(len(echo)), played)
    tail = slice(5 * RATE, 5 * RATE + round(0.3 * RATE))
    assert level_db(echo[tail]) - level_db(left[tail]) >= 15


def test_any_cut_of_the_sound_gives_the_same() -> None:
    played = speech("great-wall", 2)
    mic = echo_of(played, 40) + floor(len(played))
    whole = guarded(EchoGuard(), mic, played)
    guard, parts, at = EchoGuard(), [], 0
    for count in [7, 500, 1, 333] * 40:
        parts.append(guard.push(mic[at : at + count], played[at : at + count]))
        at += count
    cut = np.concatenate(parts)
    size = min(len(cut), len(whole))
    assert size > RATE and np.allclose(cut[:size], whole[:size], atol=1e-6)


@pytest.mark.parametrize("change", ("muted", "turned over", "louder", "elsewhere"))
def test_an_echo_that_changes_its_path_is_never_made_louder_than_the_microphone(change: str) -> None:
    """A filter that has learnt the old path would add its estimate instead of taking the echo out."""
    played = speech("great-wall", 8)
    echo, half = echo_of(played, 35), len(played) // 2
    now = {"muted": 0 * echo, "turned over": -echo, "louder": 8 * echo, "elsewhere": echo_of(played, 180, seed=3)}[
        change
    ]
    mic = np.concatenate([echo[:half], now[half:]]) + floor(len(echo))
    left = guarded(EchoGuard(), mic.astype(np.float32), played)
    for at in range(0, len(left) - BLOCK, BLOCK):
        assert np.sum(left[at : at + BLOCK] ** 2) <= 2.01 * np.sum(mic[at : at + BLOCK] ** 2) + 1e-6
    if change != "muted":
        end = slice(len(left) - RATE, len(left))
        assert level_db(left[end]) < level_db(mic[end]) - 8  # the new path is learnt


def test_frames_that_come_in_fits_and_starts_never_make_the_sound_louder_than_full_scale() -> None:
    rng = np.random.default_rng(5)
    played = np.clip(4 * speech("time-in-tokyo", 12), -1, 1)
    mic = np.clip(3 * echo_of(played, 20, level_db=-3), -1, 1)
    guard, place = EchoGuard(), 0
    while place < len(mic) - 2 * RATE:
        count = int(rng.choice((BLOCK, 3 * BLOCK, 40 * BLOCK)))
        late = int(rng.choice((0, 0, RATE // 3, RATE)))  # the player and the microphone do not agree on the time
        left = guard.push(mic[place : place + count], played[place + late : place + late + count][:count])
        assert np.all(np.isfinite(left)) and np.max(np.abs(left), initial=0) <= 1.0
        place += count


def test_an_echo_is_taken_out_however_quiet_the_sound_is_in_which_nobody_is_listened_for() -> None:
    played = speech("great-wall", 8)
    mic = echo_of(played, 60) + floor(len(played))
    np.testing.assert_array_equal(guarded(EchoGuard(), mic, played, inaudible=1e-2), guarded(EchoGuard(), mic, played))


def searches(guard: EchoGuard, mic: Samples, played: Samples, inaudible: float) -> bool:
    """Whether a guard works on a block, instead of handing on what it is given."""
    return not np.shares_memory(guard.push(mic, played, inaudible=inaudible), mic)


def test_after_five_seconds_without_an_echo_none_is_searched_for_where_nobody_is_listened_for() -> None:
    played = speech("great-wall", 12)
    noise = (1e-3 * np.random.default_rng(4).standard_normal(len(played))).astype(np.float32)
    guard, found = EchoGuard(), list[bool]()
    for at in range(0, len(played) - BLOCK + 1, BLOCK):
        found.append(searches(guard, noise[at : at + BLOCK], played[at : at + BLOCK], inaudible=1e-5))
    assert all(found[1:200]) and not any(found[-200:])
    assert searches(guard, 100 * noise[:BLOCK], played[:BLOCK], inaudible=1e-5)


def test_an_echo_that_comes_later_is_taken_out_as_well() -> None:
    played = speech("great-wall", 16)
    echo = echo_of(played, 60)
    echo[: 8 * RATE] = 0  # the headset is put down after eight seconds
    left = guarded(EchoGuard(), echo + floor(len(echo)), played, inaudible=1e-5)
    at = 10 * RATE
    assert level_db(echo[at : len(left)]) - level_db(left[at:]) >= 15


def test_the_microphone_is_left_as_it_is_while_nothing_is_played() -> None:
    mic = speech("great-wall", 1)
    mic = mic[: len(mic) - len(mic) % BLOCK]
    silent, quiet = EchoGuard(), EchoGuard()
    out = [silent.push(mic[at : at + BLOCK], None) for at in range(0, len(mic), BLOCK)]
    np.testing.assert_array_equal(np.concatenate(out), mic)
    np.testing.assert_array_equal(guarded(quiet, mic, np.zeros_like(mic)), mic)
