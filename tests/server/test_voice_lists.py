"""`/v1/audio/voices`: what front ends list, search, play and delete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from support.server import KEY, OTHER_KEY, Running, running_server
from support.sounds import tone, wav

from agentaudio.agent import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.auth import Keys
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ADMIN_KEY = "admin-key-0123456789"
VOICES = "/v1/audio/voices"


@pytest.fixture(scope="module")
def library(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> VoiceLibrary:
    """Three usable voices, one without consent, and a private one of OTHER_KEY."""
    library = VoiceLibrary(shutil.copytree(library_folder, tmp_path_factory.mktemp("http") / "voices"))
    free = library.get("ruby").card
    owner = Keys((OTHER_KEY,)).caller(OTHER_KEY).id
    library.add(tone(400, 2), id="voice_theirs", name="Cleo", description="A mysterious old woman.", gender="female",
                age="old", licence=free.licence, consent=free.consent, owner=owner)  # fmt: skip
    return library


@pytest.fixture(scope="module")
def server(library: VoiceLibrary) -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY, OTHER_KEY, ADMIN_KEY), admin_keys=(ADMIN_KEY,))
    with running_server(Agent(Scripted(["Hello there."], loop=True), voices=library), settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        yield client


def as_key(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [one["id"] for one in body["data"]] == [one["id"] for one in body["voices"]]
    return [one["id"] for one in body["data"]]


def test_one_body_serves_readers_of_voices_and_of_data(client: httpx2.Client) -> None:
    answer = client.get(VOICES)
    assert ids(answer) == ["walter", "ruby", "robot"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["voices"][0] == {"id": "walter", "name": "Walter"}
    card = answer.json()["data"][0]
    assert answer.json()["object"] == "list" and card["object"] == "audio.voice" and card["type"] == "audio_sample"
    assert card["gender"] == "male" and card["consent"]["basis"] == "synthetic" and not card["may_delete"]


def test_readers_of_ids_have_a_query_and_a_base_of_their_own(client: httpx2.Client) -> None:
    for path in (f"{VOICES}?format=ids", "/kokoro/v1/audio/voices"):
        assert client.get(path).json()["voices"] == ["walter", "ruby", "robot"]


def test_shared_voices_are_listed_without_a_key_where_the_owner_wants_it(library: VoiceLibrary) -> None:
    agent = Agent(Scripted(["Hello."]), voices=library)
    settings = ServerSettings(keys=(KEY, OTHER_KEY), public_voices=True)
    with running_server(agent, settings) as server, httpx2.Client(base_url=server.url) as stranger:
        assert ids(stranger.get(VOICES)) == ["walter", "ruby", "robot"]
        assert stranger.get("/kokoro/v1/audio/voices").json()["voices"] == ["walter", "ruby", "robot"]
        assert stranger.get(f"{VOICES}/walter").status_code == 401
        assert stranger.get(VOICES, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert stranger.post("/v1/audio/speech", json={"input": "Hello."}).status_code == 401


def test_a_list_without_a_key_is_refused_by_default(client: httpx2.Client) -> None:
    assert httpx2.get(f"{client.base_url}{VOICES}").status_code == 401


def test_pages_follow_each_other(client: httpx2.Client) -> None:
    first = client.get(VOICES, params={"limit": 2})
    assert ids(first) == ["walter", "ruby"] and first.json()["has_more"]
    second = client.get(VOICES, params={"limit": 2, "after": first.json()["last_id"]})
    assert ids(second) == ["robot"] and not second.json()["has_more"]


@pytest.mark.parametrize(
    ("wish", "found"),
    [("a calm old man", ["walter"]), ("Ruby", ["ruby"]), ("robot", ["robot"]), ("a cheese grater", []), (" ", None)],
)
def test_words_search(client: httpx2.Client, wish: str, found: list[str] | None) -> None:
    answer = client.get(VOICES, params={"q": wish})
    assert ids(answer) == (["walter", "ruby", "robot"] if found is None else found)
    assert all(one["score"] > 0 and one["reason"] for one in answer.json()["data"] if found is not None)


def test_the_openai_sdk_reads_a_voice_and_refuses_an_unknown_one(server: Running) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        assert client.get("/audio/voices/ruby", cast_to=httpx2.Response).status_code == 200
        with pytest.raises(openai.NotFoundError) as refused:
            client.get("/audio/voices/nobody", cast_to=httpx2.Response)
        assert refused.value.code == "voice_not_found"


def test_a_withheld_voice_is_neither_listed_nor_played(client: httpx2.Client) -> None:
    assert "secret" not in ids(client.get(VOICES, params={"q": "a whispering woman"}))
    for path in ("secret", "secret/sample", "Iris", "nobody", "nobody/sample"):
        refused = client.get(f"{VOICES}/{path}")
        assert refused.status_code == 404 and refused.json()["error"]["code"] == "voice_not_found"


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "opus"])
def test_the_sample_of_a_voice_can_be_played(client: httpx2.Client, format: str) -> None:
    answer = client.get(f"{VOICES}/walter/sample", params={"format": format})
    assert answer.headers["cache-control"] == "no-store" and answer.headers["content-type"].startswith("audio/")
    assert Audio.load(answer.content).duration == pytest.approx(2.0, abs=0.1)


def test_a_private_voice_is_found_by_its_own_key_and_by_an_admin_only(client: httpx2.Client) -> None:
    for path in ("voice_theirs", "voice_theirs/sample", "Cleo"):
        assert client.get(f"{VOICES}/{path}").status_code == 404
        assert client.get(f"{VOICES}/{path}", headers=as_key(OTHER_KEY)).status_code == 200
    assert client.delete(f"{VOICES}/voice_theirs").status_code == 404
    assert "voice_theirs" not in ids(client.get(VOICES)) + ids(client.get(VOICES, params={"q": "Cleo"}))
    for key in (OTHER_KEY, ADMIN_KEY):
        assert ids(client.get(VOICES, params={"q": "a mysterious old woman"}, headers=as_key(key))) == ["voice_theirs"]
        assert "voice_theirs" in ids(client.get(VOICES, headers=as_key(key)))


def test_who_did_not_add_a_voice_may_not_delete_it(client: httpx2.Client, library: VoiceLibrary) -> None:
    refused = client.delete(f"{VOICES}/walter")
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "not_owner"
    assert library.get("walter").permit.refusal() is None


def test_a_deleted_voice_is_gone_at_once(client: httpx2.Client, library: VoiceLibrary) -> None:
    library.add(tone(500, 2), id="voice_brief", name="Brief", description="A short-lived voice.",
                licence="CC0-1.0", consent=library.get("ruby").card.consent)  # fmt: skip
    held = library.get("voice_brief")
    deleted = client.delete(f"{VOICES}/voice_brief", headers=as_key(ADMIN_KEY))
    assert deleted.json() == {"id": "voice_brief", "object": "audio.voice", "deleted": True}
    assert held.permit.refusal() is not None and not held.path.exists()
    assert client.get(f"{VOICES}/voice_brief/sample").status_code == 404
    assert client.delete(f"{VOICES}/voice_brief", headers=as_key(ADMIN_KEY)).status_code == 404


@pytest.mark.parametrize(
    ("query", "param"),
    [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit"), ({"q": "a" * 1001}, "q"), ({"format": "xml"}, "format")],
)
def test_bad_queries_are_refused_by_name(client: httpx2.Client, query: dict[str, str], param: str) -> None:
    refused = client.get(VOICES, params=query)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == param


def test_a_library_without_embeddings_says_that_clips_cannot_be_searched(client: httpx2.Client) -> None:
    refused = client.post(f"{VOICES}/search", files={"audio": wav(tone().samples, 16_000)})
    assert refused.status_code == 400 and refused.json()["error"]["code"] == "no_embeddings"


@pytest.mark.parametrize(
    ("request_parts", "param"),
    [
        ({}, "audio"),
        ({"files": {"audio": b"not a sound"}}, "audio"),
        ({"files": {"audio": b""}}, "audio"),
        ({"data": {"audio": "text"}}, "audio"),
        ({"files": {"audio": wav(0 * tone().samples, 16_000)}}, "audio"),
        ({"files": {"audio": b"x"}, "data": {"limit": "many"}}, "audio"),
        ({"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}}, "audio"),
    ],
)
def test_bad_clips_are_refused(client: httpx2.Client, request_parts: dict[str, Any], param: str | None) -> None:
    refused = client.post(f"{VOICES}/search", **request_parts)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == param


def test_the_voices_that_come_along_are_searched_by_clip_and_cannot_be_changed() -> None:
    settings = ServerSettings(keys=(ADMIN_KEY,), admin_keys=(ADMIN_KEY,))
    clip = demo_voices().get("angus").clip
    with running_server(Agent(Scripted(["Hello."], loop=True), voices="demo"), settings) as running:
        with httpx2.Client(base_url=running.url, headers=as_key(ADMIN_KEY), timeout=60) as client:
            found = client.post(f"{VOICES}/search", files={"audio": wav(clip.samples[8_000:], 16_000)})
            assert ids(found)[0] == "angus" and found.json()["data"][0]["score"] > 0.9
            assert len(ids(client.get(VOICES))) == len(demo_voices())
            refused = client.delete(f"{VOICES}/angus")
            assert refused.status_code == 403
            asked = client.get("/v1/audio/voice_consent_sentences").json()
            assert "start it with --voices FOLDER" in asked["problem"]
    assert demo_voices().get("angus").permit.refusal() is None


def test_without_a_library_there_are_no_voices() -> None:
    with running_server(Agent(Scripted(["Hello."], loop=True)), ServerSettings()) as running:
        with httpx2.Client(base_url=running.url) as client:
            assert ids(client.get(VOICES)) == [] and ids(client.get(VOICES, params={"q": "a man"})) == []
            assert client.get(f"{VOICES}/ruby").status_code == 404
