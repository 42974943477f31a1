"""The client of token2wav on a service, against services that fail."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from websockets.sync.server import ServerConnection, serve

from agentaudio.errors import BackendError, OptionError
from agentaudio.model.step_audio_2.token2wav.remote import RemoteDecoder

READY = json.dumps({"type": "ready", "ahead": 3, "first_chunk": 8, "sample_rate": 24_000})


@contextlib.contextmanager
def service(answer: Callable[[ServerConnection], None]) -> Iterator[str]:
    """The address of a service that does `answer` with each connection."""
    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def hangs(socket: ServerConnection) -> None:
    for _ in socket:
        pass


def begins(socket: ServerConnection) -> None:
    socket.recv()
    socket.send(READY)


def hangs_later(socket: ServerConnection) -> None:
    begins(socket)
    hangs(socket)


def dies(socket: ServerConnection) -> None:
    begins(socket)
    socket.recv()


def sends(*messages: str | bytes) -> Callable[[ServerConnection], None]:
    def answer(socket: ServerConnection) -> None:
        begins(socket)
        for message in messages:
            socket.send(message)
        hangs(socket)

    return answer


FAILING: dict[str, tuple[Callable[[ServerConnection], None], str]] = {
    "hangs": (hangs, "went silent for 1 s"),
    "hangs later": (hangs_later, "went silent for 1 s"),
    "dies": (dies, "broke off"),
    "text for sound": (sends("hello"), "'hello' where sound was expected"),
    "half a sample": (sends(b"\x00" * 5), "where sound was expected"),
    "not a number": (sends(np.full(10_000, np.nan, "<f4").tobytes() * 2), "sound that is none"),
    "too much": (sends(bytes(200_000)), "sound that is none"),
    "an error": (sends('{"type": "error", "status": 500, "error": {"message": "CUDA is gone"}}'), "CUDA is gone"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILING)
def test_a_service_that_fails_gives_one_line_in_time(kind: str) -> None:
    answer, said = FAILING[kind]
    with service(answer) as url:
        remote = RemoteDecoder(url, timeout_s=1.0)
        begun = time.monotonic()
        with pytest.raises(BackendError, match=said) as caught:
            remote.stream().feed([1] * 11)
        assert time.monotonic() - begun < 8.0 and "\n" not in str(caught.value)
        remote.close()


@pytest.mark.parametrize("ready", ["[]", '{"type": "ready", "ahead": "3"}', '{"type": "hello"}', '{"type": "ready"}'])
def test_a_service_of_another_kind_is_named(ready: str) -> None:
    def answer(socket: ServerConnection) -> None:
        socket.recv()
        socket.send(ready)
        hangs(socket)

    with service(answer) as url:
        remote = RemoteDecoder(url, timeout_s=2.0)
        with pytest.raises(BackendError, match="token2wav at http"):
            remote.stream()
        remote.close()


def test_a_busy_service_is_asked_again_before_anything_was_said() -> None:
    asked: list[int] = []

    def answer(socket: ServerConnection) -> None:
        socket.recv()
        asked.append(1)
        if len(asked) < 3:
            socket.send(json.dumps({"type": "error", "status": 503, "error": {"message": "the server is busy"}}))
            return
        socket.send(READY)
        hangs(socket)

    with service(answer) as url:
        remote = RemoteDecoder(url, timeout_s=2.0)
        remote.stream().close()
        assert len(asked) == 3
        remote.close()


def test_a_service_that_dies_before_it_is_ready_is_asked_again() -> None:
    asked: list[int] = []

    def answer(socket: ServerConnection) -> None:
        socket.recv()
        asked.append(1)
        if len(asked) > 1:
            socket.send(READY)
            hangs(socket)

    with service(answer) as url:
        remote = RemoteDecoder(url, timeout_s=2.0)
        remote.stream().close()
        assert len(asked) == 2
        remote.close()


def test_closing_from_another_thread_ends_a_wait_at_once() -> None:
    with service(hangs_later) as url:
        remote = RemoteDecoder(url, timeout_s=30.0)
        stream = remote.stream()
        threading.Timer(0.3, stream.close).start()
        begun = time.monotonic()
        with pytest.raises(BackendError, match="broke off"):
            stream.feed([1] * 20)
        assert time.monotonic() - begun < 5.0
        remote.close()


def test_a_service_that_is_not_there_is_named() -> None:
    remote = RemoteDecoder("http://127.0.0.1:9", "a-key-that-is-secret")
    with pytest.raises(BackendError, match="http://127.0.0.1:9 cannot be reached") as caught:
        remote.stream()
    assert "secret" not in str(caught.value) + repr(remote)
    with pytest.raises(BackendError, match="cannot be reached"):
        remote.warm_up()
    remote.close()


@pytest.mark.parametrize("url", ["gpu:8200", "ftp://gpu", "http://", "http://user:secret@gpu:8200"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(OptionError, match="http") as caught:
        RemoteDecoder(url)
    assert "secret" not in str(caught.value)
