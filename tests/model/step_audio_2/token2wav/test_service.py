"""`agentaudio serve-token2wav`: a real server with the tiny decoder, and its client."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the decoder needs torch")
pytest.importorskip("uvicorn", reason="needs the extra 'server'")
pytest.importorskip("prometheus_client", reason="needs the extra 'server'")

from support.server import KEY, OTHER_KEY, Running, server_process, serving, until  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from agentaudio.errors import BackendError, ConsentError, OptionError, VoiceError  # noqa: E402
from agentaudio.model.clip_voice import ClipVoice, Unrestricted  # noqa: E402
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.batching import TOLERANCE  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.remote import RemoteDecoder  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import write_tiny_token2wav  # noqa: E402
from agentaudio.server.settings import ServerSettings  # noqa: E402
from agentaudio.server.token2wav.app import create_sound_app  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402

STEPS = 2
"""Of the flow: this is about transport and batches."""
PATIENCE_S = 120.0
"""With a machine that does much else."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("token2wav")
    write_tiny_token2wav(folder, seed=0)
    write_tiny_onnx(folder, seed=0)
    return folder


@pytest.fixture(scope="module")
def here(weights: Path) -> SpeechDecoder:
    return SpeechDecoder(weights, device="cpu", steps=STEPS)


@pytest.fixture(scope="module")
def service(weights: Path) -> Iterator[Running]:
    decoder = SpeechDecoder(weights, device="cpu", steps=STEPS, rows=16)
    settings = ServerSettings(keys=(KEY, OTHER_KEY), sessions=20, voices=18)
    with serving(create_sound_app(decoder, settings)) as running:
        yield running


@pytest.fixture
def there(service: Running) -> Iterator[RemoteDecoder]:
    remote = RemoteDecoder(service.url, KEY)
    yield remote
    remote.close()


def clips(count: int) -> list[ClipVoice]:
    cards = [*demo_voices()][:count]
    return [ClipVoice(card.clip.slice(0, 3.0), id=card.id) for card in cards]


def tokens(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 6561, count)


@pytest.mark.parametrize("options", [{"steps": 0}, {"dtype": "int3"}, {"device": "nonsense"}])
def test_what_no_decoder_can_do_is_refused_before_anything_is_served(weights: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        SpeechDecoder(weights, **({"device": "cpu"} | options))


def test_sixteen_voices_at_once_come_back_each_as_made_here(
    here: SpeechDecoder, there: RemoteDecoder, service: Running
) -> None:
    voices = clips(16)
    together = threading.Barrier(16)

    def spoken(k: int) -> Audio:
        there.prepare(voices[k])
        stream = there.stream(voices[k], seed=k)
        together.wait(300)
        parts = [stream.feed(token) for token in tokens(30, k)]
        return Audio(np.concatenate([*parts, stream.finish()]), 24_000)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(spoken, range(16)))
    expected = []
    for k, voice in enumerate(voices):
        stream = here.stream(voice, seed=k)
        expected.append(np.concatenate([stream.feed(tokens(30, k)), stream.finish()]))
    for k, sound in enumerate(found):
        assert len(sound) == 30 * 960
        apart = [float(np.abs(sound.samples - one).max()) for one in expected]
        assert apart[k] <= TOLERANCE and apart[k] == min(apart), (k, apart)
        assert sorted(apart)[1] > 10 * apart[k]
    sizes = service.state.decoder.token2wav._make.sizes  # type: ignore[attr-defined]
    assert max(sizes) > 1, sizes


def test_alone_it_is_equal_to_the_last_bit_and_has_the_same_interface(
    here: SpeechDecoder, there: RemoteDecoder
) -> None:
    voice, said = clips(1)[0], tokens(40)
    mine, theirs = here.stream(voice, seed=3), there.stream(voice, seed=3)
    assert mine.ahead == theirs.ahead
    for start in range(0, 40, 7):
        assert np.array_equal(mine.feed(said[start : start + 7]), theirs.feed(said[start : start + 7]))
    assert np.array_equal(mine.finish(), theirs.finish())
    with pytest.raises(BackendError, match="finished"):
        theirs.feed(1)
    assert there.synthesize([], voice).duration == 0
    own = here.stream(seed=1)
    assert np.array_equal(
        there.synthesize(said[:12], seed=1).samples, np.concatenate([own.feed(said[:12]), own.finish()])
    )


def test_a_clip_is_sent_once_and_again_where_the_voice_made_room(there: RemoteDecoder, service: Running) -> None:
    voice = clips(3)[2]
    digest, address = voice.clip.sha256, f"{service.url}/v1/token2wav/voices/{voice.clip.sha256}"
    made: list[str] = []
    decoder = service.state.decoder  # type: ignore[attr-defined]
    make = decoder.make_prompt

    def counted(one: Any) -> Any:
        made.append(one.id)
        return make(one)

    decoder.make_prompt = counted
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S) as client:
        client.delete(address)
        there.synthesize(tokens(9), voice)
        there.prepare(voice)
        there.synthesize(tokens(9), voice)
        assert made == [digest[:8]] and client.get(address).status_code == 200
        assert client.delete(address).status_code == 204 and client.get(address).status_code == 404
        assert there.synthesize(tokens(9), voice).duration == pytest.approx(9 / 25)
        assert made == [digest[:8]] * 2
    decoder.make_prompt = make


def test_another_key_cannot_speak_in_a_voice_by_its_digest(there: RemoteDecoder, service: Running) -> None:
    voice = clips(1)[0]
    digest = there.prepare(voice)
    with httpx2.Client(headers={"authorization": f"Bearer {OTHER_KEY}"}, timeout=PATIENCE_S) as client:
        answer = client.post(f"{service.url}/v1/token2wav/speech", json={"tokens": [1, 2, 3], "voice": digest})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "voice_not_found")


def test_a_voice_that_was_revoked_is_refused_here_and_dropped_there(there: RemoteDecoder, service: Running) -> None:
    class Permit(Unrestricted):
        reason: str | None = None

        def refusal(self) -> str | None:
            return self.reason

    permit = Permit()

    class Revocable(ClipVoice):
        @property
        def permit(self) -> Permit:
            return permit

    voice = Revocable(clips(2)[1].clip, id="revocable")
    digest = there.prepare(voice)
    permit.reason = "its consent was withdrawn"
    with pytest.raises(ConsentError, match="withdrawn"):
        there.stream(voice)
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S) as client:
        assert client.get(f"{service.url}/v1/token2wav/voices/{digest}").status_code == 404


def test_clips_without_speech_and_with_another_digest_are_refused(there: RemoteDecoder, service: Running) -> None:
    with pytest.raises(VoiceError, match="'silent'"):
        there.prepare(ClipVoice(Audio(np.zeros(48_000, np.float32), 16_000), id="silent"))
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S) as client:
        clip = clips(1)[0].clip.to_bytes("wav")
        answer = client.put(f"{service.url}/v1/token2wav/voices/{'0' * 64}", content=clip)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_digest")


def test_whole_utterances_over_http(there: RemoteDecoder, service: Running) -> None:
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S) as client:
        answer = client.post(f"{service.url}/v1/token2wav/speech", json={"tokens": tokens(20).tolist(), "seed": 2})
        assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
        sound = Audio.load(answer.content)
        assert sound.sample_rate == 24_000 and len(sound) == 20 * 960
        assert np.abs(sound.samples - there.synthesize(tokens(20), seed=2).samples).max() < 1e-4
        refused = client.post(f"{service.url}/v1/token2wav/speech", json={"tokens": [7000]})
        assert refused.status_code == 400 and refused.json()["error"]["type"] == "invalid_request_error"


def test_it_has_the_health_the_metrics_and_the_keys_of_the_server(service: Running) -> None:
    with httpx2.Client(timeout=PATIENCE_S) as client:
        until(lambda: client.get(f"{service.url}/readyz").status_code == 200, 60)
        assert client.get(f"{service.url}/healthz").json() == {"status": "ok"}
        assert client.get(f"{service.url}/metrics").status_code == 401
        metrics = client.get(f"{service.url}/metrics", headers={"authorization": f"Bearer {KEY}"}).text
        assert "agentaudio_sound_seconds_total" in metrics
    secret = "wrong-secret-123456"
    remote = RemoteDecoder(service.url, secret)
    with pytest.raises(BackendError, match="API key is missing or wrong.*token2wav_key") as caught:
        remote.stream()
    assert secret not in str(caught.value) + repr(remote)
    remote.close()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([b"\x01\x00"], "not a JSON object"),
        (["{}"], "begin with"),
        (['{"type": "start", "voice": 5}'], "digest"),
        (['{"type": "start", "seed": -1}'], "seed"),
        (['{"type": "start"}', b"\x01"], "uint16"),
        (['{"type": "start"}', b"\xff\xff"], "below 6561"),
        (['{"type": "start"}', '{"type": "stop"}'], "after tokens"),
        (['{"type": "start", "voice": "0"}'], "digest"),
        (['{"type": "start", "voice": "' + "0" * 64 + '"}', "{}"], "binary message"),
        (['{"type": "start", "voice": "' + "0" * 64 + '"}', b"RIFF"], "cannot be read|not a sound|audio|sound"),
    ],
)
def test_messages_that_cannot_be_read_are_refused_by_name(service: Running, sent: list[Any], said: str) -> None:
    address = f"ws://127.0.0.1:{service.port}/v1/token2wav/stream"
    with connect(address, additional_headers={"authorization": f"Bearer {KEY}"}) as socket:
        for message in sent:
            socket.send(message)
        facts: list[Any] = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                facts.append(json.loads(socket.recv(30)))
    assert facts[-1]["type"] == "error" and re.search(said, facts[-1]["error"]["message"])


def test_work_ends_when_the_client_leaves(there: RemoteDecoder, service: Running) -> None:
    stream = there.stream()
    assert service.state.limits.sessions == 1
    stream._put(tokens(2000).astype("<u2").tobytes())
    stream.close()
    until(lambda: service.state.limits.sessions == 0, 10)


def test_more_utterances_than_a_key_may_have_are_refused_after_some_attempts(weights: Path) -> None:
    decoder = SpeechDecoder(weights, device="cpu", steps=STEPS)
    with serving(create_sound_app(decoder, ServerSettings(keys=(KEY,), sessions=1))) as service:
        remote = RemoteDecoder(service.url, KEY)
        first = remote.stream()
        with pytest.raises(BackendError, match="run already"):
            remote.stream()
        first.close()
        until(lambda: service.state.limits.sessions == 0, 10)
        remote.stream().close()
        remote.close()


def test_sigterm_lets_an_utterance_end_and_refuses_others(weights: Path) -> None:
    with server_process(str(weights), "--device", "cpu", "--steps", "1", command="serve-token2wav") as server:
        remote = RemoteDecoder(server.url, KEY)
        remote.warm_up()
        stream = remote.stream()
        sounds = [stream.feed(tokens(20))]
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        sounds.append(stream.feed(tokens(20, 1)))
        sounds.append(stream.finish())
        assert sum(map(len, sounds)) == 40 * 960
        with pytest.raises(BackendError, match="stopping|cannot be reached"):
            remote.stream()
        assert server.process.wait(60) is not None
        remote.close()
