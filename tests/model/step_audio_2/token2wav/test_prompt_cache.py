"""Timbre prompts are made once, bounded in memory, and never believed when their file changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone

pytest.importorskip("safetensors", reason="the extra local is not installed")

from agentaudio.errors import OptionError, VoiceError  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.prompt_cache import PromptCache  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402


@dataclass(frozen=True)
class Voice:
    id: str
    clip: Audio
    transcript: str = "Hello."


class CountingMaker:
    """Makes a prompt that depends on the clip alone, and counts."""

    def __init__(self, fingerprint: str = "maker 1", tokens: int = 50) -> None:
        self.fingerprint, self.made, self._tokens = fingerprint, 0, tokens
        self._lock = threading.Lock()

    def make(self, clip: Audio, *, transcript: str = "", voice_id: str = "") -> TimbrePrompt:
        with self._lock:
            self.made += 1
        if clip.is_silent:
            raise VoiceError(f"voice {voice_id!r}: silent")
        random = np.random.default_rng(abs(hash(clip.sha256)))
        return TimbrePrompt(
            tokens=random.integers(0, 6561, self._tokens, np.int32),
            embedding=random.standard_normal(192, np.float32),
            mel=random.standard_normal((2 * self._tokens, 80), np.float32),
            transcript=transcript,
            voice_id=voice_id,
            clip_hash=clip.sha256,
            made_by=self.fingerprint,
        )


RUBY, WALTER = Voice("ruby", tone(300)), Voice("walter", tone(110))


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_prompt_is_made_once_and_kept_beside_the_voice(tmp_path: Path) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    made = cache.get(RUBY)
    assert cache.get(RUBY) is made
    assert only_file(tmp_path).name == f"{RUBY.clip.sha256}.timbre.safetensors"
    assert PromptCache(maker, tmp_path).get(RUBY) == made
    assert maker.made == 1


def test_without_a_place_it_is_kept_in_memory() -> None:
    maker = CountingMaker()
    cache = PromptCache(maker)
    assert cache.get(RUBY) is cache.get(RUBY)
    assert maker.made == 1


def test_a_library_may_say_where_each_prompt_belongs(tmp_path: Path) -> None:
    cache = PromptCache(CountingMaker(), lambda voice: tmp_path / "of" / voice.id if voice.id == "ruby" else None)
    cache.get(RUBY)
    cache.get(WALTER)
    assert [path.name for path in tmp_path.rglob("*")] == ["of", "ruby"]


def test_sixteen_threads_at_once_make_each_prompt_once(tmp_path: Path) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    voices = [Voice(f"v{n % 4}", tone(100 + 50 * (n % 4))) for n in range(64)]
    start = threading.Barrier(16)

    def get(voice: Voice) -> TimbrePrompt:
        start.wait(10)
        return cache.get(voice)

    with ThreadPoolExecutor(16) as pool:
        prompts = list(pool.map(get, voices))
    assert maker.made == 4
    assert [prompt.voice_id for prompt in prompts] == [voice.id for voice in voices]
    assert len({prompt.content_hash for prompt in prompts}) == 4


def test_a_failure_reaches_all_who_wait_and_is_not_remembered(tmp_path: Path) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    silent = Voice("mute", Audio.silence(3, 16_000))
    for _ in range(2):
        with pytest.raises(VoiceError, match="voice 'mute': silent"):
            cache.get(silent)
    assert maker.made == 2
    assert len(cache) == 0 and list(tmp_path.iterdir()) == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def exchange(path: Path) -> None:
    CountingMaker().make(WALTER.clip).save(path)


def replace_by_older(path: Path) -> None:
    CountingMaker("maker 0").make(RUBY.clip).save(path)


@pytest.mark.parametrize("damage", [truncate, alter, exchange, replace_by_older, os.unlink])
@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "next process"])
def test_a_changed_file_is_made_again(tmp_path: Path, damage: Callable[[Path], None], fresh: bool) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    first = cache.get(RUBY)
    path = only_file(tmp_path)
    damage(path)
    cache = PromptCache(maker, tmp_path) if fresh else cache
    assert cache.get(RUBY) == first
    assert maker.made == 2
    assert TimbrePrompt.load(only_file(tmp_path)) == first
    assert cache.nbytes == first.nbytes


def test_a_file_that_another_process_wrote_anew_is_read_not_made(tmp_path: Path) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    first = cache.get(RUBY)
    first.save(only_file(tmp_path))
    assert cache.get(RUBY) == first
    assert maker.made == 1


def test_a_place_that_cannot_be_written_does_not_stop_speech(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path / "file")
    assert cache.get(RUBY) is cache.get(RUBY)
    assert maker.made == 1


def test_voices_that_share_a_clip_share_the_work_but_keep_their_names(tmp_path: Path) -> None:
    maker = CountingMaker()
    cache = PromptCache(maker, tmp_path)
    one, two = cache.get(RUBY), cache.get(Voice("scarlet", RUBY.clip, "Good day."))
    assert (one.voice_id, one.transcript) == ("ruby", "Hello.")
    assert (two.voice_id, two.transcript) == ("scarlet", "Good day.")
    np.testing.assert_array_equal(one.mel, two.mel)
    assert maker.made == 1


def test_memory_is_bounded_by_count_and_bytes() -> None:
    maker = CountingMaker()
    voices = [Voice(f"v{n}", tone(100 + n, 0.1)) for n in range(6)]
    cache = PromptCache(maker, most_prompts=4)
    for voice in [*voices[:4], voices[0], *voices[4:]]:
        cache.get(voice)
    assert len(cache) == 4
    cache.get(voices[0])
    assert maker.made == 6  # the first was used since, so the second went
    size = cache.get(voices[0]).nbytes
    small = PromptCache(maker, most_bytes=2 * size + 1)
    for voice in voices:
        small.get(voice)
    assert len(small) == 2 and small.nbytes == 2 * size


def test_a_prompt_larger_than_the_memory_is_still_made() -> None:
    cache = PromptCache(CountingMaker(), most_bytes=10)
    assert len(cache.get(RUBY).tokens) == 50
    assert len(cache) == 0 and cache.nbytes == 0


def test_a_forgotten_voice_leaves_nothing(tmp_path: Path) -> None:
    cache = PromptCache(CountingMaker(), tmp_path)
    cache.get(RUBY)
    cache.forget(RUBY)
    cache.forget(RUBY)
    assert len(cache) == 0 and cache.nbytes == 0
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_whose_file_was_deleted_leaves_memory_when_another_voice_is_used(tmp_path: Path) -> None:
    gone: list[TimbrePrompt] = []
    cache = PromptCache(CountingMaker(), tmp_path, dropped=gone.append)
    ruby = cache.get(RUBY)
    only_file(tmp_path).unlink()  # as a library does when the voice is revoked
    cache.get(WALTER)
    assert len(cache) == 1 and gone == [ruby]


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="holds nothing"):
        PromptCache(CountingMaker(), most_prompts=0)
