"""Voice states: computed once, bounded in memory, stored by maker, and removed when the voice is revoked."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.errors import ConsentError, OptionError, VoiceError
from agentaudio.files import write_atomically
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.voice_states import VoiceStates
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.check import check
from agentaudio.voice_library.library import VoiceLibrary


@dataclass(frozen=True)
class Style:
    """A state that says what it was made of and by which version."""

    clip: str
    version: str
    nbytes: int = 100


class Maker:
    """Makes styles, and counts them."""

    def __init__(self, model: str = "kokoro", version: str = "1", nbytes: int = 100) -> None:
        self.model, self.version, self.made = model, version, 0
        self._nbytes = nbytes
        self._lock = threading.Lock()

    def make(self, voice: ReferenceVoice) -> Style:
        with self._lock:
            self.made += 1
        if voice.clip.is_silent:
            raise VoiceError(f"voice {voice.id!r}: silent")
        return Style(voice.clip.sha256, self.version, self._nbytes)


class Json:
    suffix = ".json"

    def write(self, state: Style, path: Path) -> None:
        write_atomically(path, json.dumps([state.clip, state.version, state.nbytes]).encode(), error=VoiceError)

    def read(self, path: Path, *, clip_sha256: str, version: str) -> Style:
        try:
            style = Style(*json.loads(path.read_text()))
        except ValueError:
            raise VoiceError(f"{path} is damaged") from None
        if (style.clip, style.version) != (clip_sha256, version):
            raise VoiceError(f"{path} is of another clip or version")
        return style


def pitched(number: int) -> ClipVoice:
    return ClipVoice(tone(100 + number, 0.1), id=f"v{number}")


def files_of(library: VoiceLibrary, id: str) -> list[Path]:
    return [state.path for state in library.prompts.of(library.card(id).sha256)]


def test_a_state_is_made_once_and_kept_in_a_file_that_other_processes_read(library: VoiceLibrary) -> None:
    maker, ruby = Maker(), library.get("ruby")
    states = VoiceStates(maker, Json())
    made = states.get(ruby)
    assert states.get(ruby) is made and states.get(library.get("ruby")) is made
    assert [file.name for file in files_of(library, "ruby")] == ["kokoro@1.json"]
    assert VoiceStates(maker, Json()).get(ruby) == made
    assert maker.made == 1


def test_two_makers_keep_their_states_of_one_clip_beside_each_other(library: VoiceLibrary) -> None:
    ruby = library.get("ruby")
    makers = Maker("kokoro"), Maker("pocket-tts"), Maker("kokoro", version="2")
    made = [VoiceStates(maker, Json()).get(ruby) for maker in makers]
    assert [file.name for file in files_of(library, "ruby")] == ["kokoro@1.json", "kokoro@2.json", "pocket-tts@1.json"]
    assert [VoiceStates(maker, Json()).get(ruby) for maker in makers] == made
    assert [style.version for style in made] == ["1", "1", "2"]
    assert [maker.made for maker in makers] == [1, 1, 1]
    assert check(library) == []


def test_revoking_a_voice_deletes_the_states_of_all_makers_in_files_and_in_memory(library: VoiceLibrary) -> None:
    dropped: list[Style] = []
    filed = VoiceStates(Maker("pocket-tts"), Json(), dropped=dropped.append)
    unfiled = VoiceStates(Maker("world"), dropped=dropped.append)
    ruby, walter = library.get("ruby"), library.get("walter")
    made = [states.get(ruby) for states in (filed, unfiled)]
    (file,) = files_of(library, "ruby")
    VoiceLibrary(library.folder).revoke("ruby")  # as another process would
    assert not file.exists()
    for states in (filed, unfiled):
        with pytest.raises(ConsentError, match="'ruby' may not be spoken in: it was revoked on .*; choose another"):
            states.get(ruby)
        states.get(walter)
        assert len(states) == 1 and states.nbytes == 100
    assert dropped == made


@pytest.mark.parametrize("take_back", [VoiceLibrary.revoke, VoiceLibrary.remove])
def test_a_voice_that_is_taken_back_while_its_state_is_made_leaves_none(
    library: VoiceLibrary, take_back: Callable[[VoiceLibrary, str], object]
) -> None:
    class Slow(Maker):
        def make(self, voice: ReferenceVoice) -> Style:
            take_back(VoiceLibrary(library.folder), "ruby")
            return super().make(voice)

    states = VoiceStates(Slow(), Json())
    ruby = library.get("ruby")
    with pytest.raises(ConsentError, match="it was re(vok|mov)ed"):
        states.get(ruby)
    assert len(states) == 0 and list(library.prompts) == [] and check(library) == []


def test_a_voice_that_is_revoked_while_its_state_is_written_leaves_no_file(library: VoiceLibrary) -> None:
    class SlowDisk(Json):
        def write(self, state: Style, path: Path) -> None:
            library.revoke("ruby")
            super().write(state, path)

    with pytest.raises(ConsentError, match="revoked"):
        VoiceStates(Maker(), SlowDisk()).get(library.get("ruby"))
    assert list(library.prompts) == [] and check(library) == []


def test_a_voice_without_consent_is_not_prepared(library: VoiceLibrary) -> None:
    maker = Maker()
    with pytest.raises(ConsentError, match="'secret' may not be spoken in: it has no consent"):
        VoiceStates(maker, Json()).get(library.get("secret"))
    assert maker.made == 0


def test_states_without_a_file_format_or_a_place_stay_in_memory(library: VoiceLibrary) -> None:
    for states, voice in (
        (VoiceStates(Maker()), library.get("ruby")),
        (VoiceStates(Maker(), Json()), VoiceLibrary(library.folder, keep_prompts=False).get("ruby")),
        (VoiceStates(Maker(), Json()), ClipVoice(tone(300))),
    ):
        assert states.get(voice) is states.get(voice)
    assert list(library.prompts) == []


def test_sixteen_threads_at_once_make_each_state_once(library: VoiceLibrary) -> None:
    maker = Maker()
    states = VoiceStates(maker, Json())
    voices = [pitched(50 * (number % 4)) for number in range(64)]
    start = threading.Barrier(16)

    def get(voice: ClipVoice) -> Style:
        start.wait(10)
        return states.get(voice)

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(get, voices))
    assert maker.made == 4
    assert [style.clip for style in made] == [voice.clip.sha256 for voice in voices]


def test_a_failure_is_not_remembered() -> None:
    maker = Maker()
    states = VoiceStates(maker)
    for _ in range(2):
        with pytest.raises(VoiceError, match="voice 'mute': silent"):
            states.get(ClipVoice(Audio.silence(3, 16_000), id="mute"))
    assert maker.made == 2 and len(states) == 0


def test_a_failure_reaches_all_who_wait() -> None:
    waiting, failing = threading.Barrier(2), threading.Event()

    class Failing(Maker):
        def make(self, voice: ReferenceVoice) -> Style:
            waiting.wait(10)
            failing.wait(10)
            return super().make(voice)

    states, mute = VoiceStates(Failing()), ClipVoice(Audio.silence(3, 16_000), id="mute")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(states.get, mute)
        waiting.wait(10)
        second = pool.submit(states.get, mute)
        failing.set()
        assert all("silent" in str(asked.exception(10)) for asked in (first, second))


def test_the_revocation_of_a_voice_does_not_fail_another_voice_with_the_same_clip(library: VoiceLibrary) -> None:
    library.add(
        library.get("ruby").clip, id="scarlet", name="Scarlet", description="", licence="CC0-1.0",
        consent=library.card("ruby").consent,
    )  # fmt: skip
    making, revoked = threading.Event(), threading.Event()

    class Slow(Maker):
        def make(self, voice: ReferenceVoice) -> Style:
            if voice.id == "ruby":
                making.set()
                revoked.wait(10)
            return super().make(voice)

    states = VoiceStates(Slow(), Json())
    with ThreadPoolExecutor(2) as pool:
        ruby = pool.submit(states.get, library.get("ruby"))
        making.wait(10)
        scarlet = pool.submit(states.get, library.get("scarlet"))
        library.revoke("ruby")
        time.sleep(0.05)  # scarlet's thread waits for ruby's by now; if not, it makes the state itself
        revoked.set()
        with pytest.raises(ConsentError, match="'ruby' may not be spoken in"):
            ruby.result(10)
        assert scarlet.result(10) == Style(library.get("scarlet").clip.sha256, "1")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def exchange(path: Path) -> None:
    Json().write(Style(tone(110, 2).sha256, "1"), path)


def replace_by_older(path: Path) -> None:
    Json().write(Style(tone(300, 2).sha256, "0"), path)


@pytest.mark.parametrize("damage", [truncate, exchange, replace_by_older, os.unlink])
@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "next process"])
def test_a_file_that_is_damaged_or_of_another_clip_or_version_is_made_again(
    library: VoiceLibrary, damage: Callable[[Path], None], fresh: bool
) -> None:
    maker, ruby = Maker(), library.get("ruby")
    states = VoiceStates(maker, Json())
    first = states.get(ruby)
    (path,) = files_of(library, "ruby")
    damage(path)
    states = VoiceStates(maker, Json()) if fresh else states
    assert states.get(ruby) == first and maker.made == 2
    assert VoiceStates(maker, Json()).get(ruby) == first and maker.made == 2
    assert states.nbytes == 100


def test_a_file_that_another_process_wrote_again_is_read(library: VoiceLibrary) -> None:
    maker, ruby = Maker(), library.get("ruby")
    states = VoiceStates(maker, Json())
    first = states.get(ruby)
    Json().write(first, files_of(library, "ruby")[0])
    assert states.get(ruby) == first and maker.made == 1


def test_a_library_that_cannot_be_written_does_not_prevent_speech(library: VoiceLibrary) -> None:
    (library.folder / "prompts").touch()
    maker, ruby = Maker(), library.get("ruby")
    states = VoiceStates(maker, Json())
    assert states.get(ruby) is states.get(ruby)
    assert maker.made == 1


def test_voices_with_the_same_clip_share_a_state() -> None:
    maker = Maker()
    states = VoiceStates(maker)
    assert states.get(ClipVoice(tone(300), id="ruby")) is states.get(ClipVoice(tone(300), "Hello.", "scarlet"))
    assert maker.made == 1


def test_the_least_recently_used_states_leave_a_full_memory() -> None:
    maker = Maker()
    states = VoiceStates(maker, most_states=4)
    for number in (0, 1, 2, 3, 0, 4, 5):
        states.get(pitched(number))
    assert len(states) == 4 and states.nbytes == 400 and maker.made == 6
    states.get(pitched(0))
    assert maker.made == 6
    states.get(pitched(1))
    assert maker.made == 7


def test_memory_is_bounded_by_bytes() -> None:
    dropped: list[Style] = []
    states = VoiceStates(Maker(), most_bytes=201, dropped=dropped.append)
    made = [states.get(pitched(number)) for number in range(3)]
    assert len(states) == 2 and states.nbytes == 200 and dropped == made[:1]
    large = VoiceStates(Maker(nbytes=11), most_bytes=10)
    assert large.get(pitched(0)).nbytes == 11 and len(large) == 0 and large.nbytes == 0


@pytest.mark.parametrize("bounds", [{"most_states": 0}, {"most_bytes": 0}])
def test_an_empty_memory_is_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="is empty; give 1 or more"):
        VoiceStates(Maker(), **bounds)  # type: ignore[arg-type]
