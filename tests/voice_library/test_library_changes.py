"""Revoking voices, removing them for good, and the policy of a library."""

from __future__ import annotations

import json
import pickle
import time
import zipfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone
from support.voices import Bands

from agentaudio.errors import ConsentError, VoiceError, VoiceNotFound
from agentaudio.voice_library.check import check
from agentaudio.voice_library.export import export_voice
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.reindex import reindex
from agentaudio.voice_library.stats import stats
from agentaudio.voice_library.voice import Consent, Policy, Quality, Voice

FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))


@pytest.fixture
def embedded(tmp_path: Path) -> VoiceLibrary:
    """Three embedded voices; `twin` has the same clip as `ann`."""
    library = VoiceLibrary.create(tmp_path / "embedded", encoder=Bands())
    for id, pitch in (("ann", 200), ("ben", 300), ("twin", 200)):
        library.add(
            tone(pitch, 2), id=id, name=id.title(), description=f"the secret of {id}", tags=("quiet",), gender="male",
            licence="CC0-1.0", consent=FREE, automatic=("tags", "gender"),
            quality=Quality(speech_s=2, snr_db=None, clipped=0, bandwidth_hz=400),
        )  # fmt: skip
    return library


def with_prompt(library: VoiceLibrary, id: str) -> Path:
    """As if a model had kept what it made of the clip, and a search its index."""
    path = keep(library, id, "token2wav", "1", b"tokens")
    index = library.folder / "index" / "speakers.faiss"
    index.parent.mkdir(exist_ok=True)
    index.write_bytes(b"vectors")
    return path


def keep(library: VoiceLibrary, id: str, model: str, version: str, content: bytes) -> Path:
    path = library.get(id).permit.state_path(model, version, ".safetensors")
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def vector_of(library: VoiceLibrary, id: str) -> bytes:
    ((vector,),) = library.database.rows(
        "SELECT vector FROM embeddings WHERE voice = (SELECT row FROM voices WHERE id = ?)", id
    )
    return bytes(vector)


def test_a_removed_voice_leaves_no_copy_even_while_others_read(embedded: VoiceLibrary) -> None:
    reader = VoiceLibrary(embedded.folder)
    voice = reader.get("ben")
    clip, vector = voice.path.read_bytes(), vector_of(embedded, "ben")
    prompt = with_prompt(embedded, "ben")
    assert clip in everything_in(embedded.folder) and vector in everything_in(embedded.folder)
    embedded.remove("ben")
    left = everything_in(embedded.folder)
    for trace in (clip, vector, b"the secret of ben", b"Ben", voice.card.sha256.encode(), b"vectors"):
        assert trace not in left
    assert not voice.path.exists() and not prompt.exists()
    assert [voice.id for voice in reader] == ["ann", "twin"] and check(reader) == []


def test_a_removed_id_is_free_again_and_its_row_is_not(embedded: VoiceLibrary) -> None:
    (row,) = set(embedded.select()) - set(embedded.select()[:2])
    embedded.remove("twin")
    embedded.add(tone(400, 2), id="twin", name="Twin", description="")
    assert embedded.at([row]) == [] and embedded.select()[-1] == row + 1


def test_two_voices_share_a_clip_until_the_last_is_gone(embedded: VoiceLibrary) -> None:
    path = embedded.get("ann").path
    assert path == embedded.get("twin").path
    embedded.revoke("ann")
    assert embedded.get("twin").clip.duration == pytest.approx(2)
    embedded.remove("twin")
    assert not path.exists() and check(embedded) == []


def test_a_revoked_voice_is_not_found_and_leaves_only_its_card(embedded: VoiceLibrary) -> None:
    reader = VoiceLibrary(embedded.folder)
    held = reader.get("ben")
    clip, vector, prompt = held.path.read_bytes(), vector_of(embedded, "ben"), with_prompt(embedded, "ben")
    embedded.revoke("ben")
    with pytest.raises(VoiceNotFound, match=r"'ben' was revoked on 20\d\d-"):
        reader.get("ben")
    with pytest.raises(ConsentError, match="was revoked on"):
        held.require("synthesis")
    assert "ben" not in {voice.id for voice in reader} and len(reader) == len(reader.select()) == 2
    left = everything_in(embedded.folder)
    assert clip not in left and vector not in left and b"vectors" not in left and not prompt.exists()
    card = reader.card("ben")
    assert card.revoked is not None and card.description == "the secret of ben" and card.consent == FREE
    assert (card.quality, card.gender, card.tags, card.automatic) == (None, None, (), ())
    assert [entry["event"] for entry in reader.log("ben")] == ["added", "revoked"]
    embedded.revoke("ben")
    assert reader.card("ben") == card


def test_prompts_are_kept_only_for_voices_that_may_be_used(embedded: VoiceLibrary) -> None:
    voice = embedded.get("ben")
    maker = ("token2wav", "1", ".safetensors")
    place = voice.permit.state_path(*maker)
    assert place is not None and place.is_relative_to(embedded.folder)
    still = VoiceLibrary(embedded.folder, keep_prompts=False).get("ben")
    assert still.permit.state_path(*maker) is None
    assert pickle.loads(pickle.dumps(still)).permit.state_path(*maker) is None
    embedded.revoke("ben")
    assert voice.permit.state_path(*maker) is None
    assert all(voice.permit.state_path(*maker) is None for voice in demo_voices())


def test_each_maker_and_version_keeps_its_own_prompt_of_a_clip(embedded: VoiceLibrary) -> None:
    paths = [
        keep(embedded, "ben", model, version, f"{model} {version}".encode())
        for model, version in (("token2wav", "1.0"), ("token2wav", "2"), ("kokoro", "1.0"))
    ]
    keep(embedded, "ann", "kokoro", "1.0", b"another clip")
    assert [path.read_text() for path in paths] == ["token2wav 1.0", "token2wav 2", "kokoro 1.0"]
    kept = embedded.prompts.of(embedded.get("ben").card.sha256)
    assert [(state.model, state.version, state.size_bytes) for state in kept] == [
        ("kokoro", "1.0", 10), ("token2wav", "1.0", 13), ("token2wav", "2", 11),
    ]  # fmt: skip
    assert all(abs(state.made.timestamp() - time.time()) < 60 for state in kept)
    assert [state.sha256 for state in embedded.prompts].count(embedded.get("ann").card.sha256) == 1
    assert stats(embedded)["prompts"] == [
        {"model": "kokoro", "version": "1.0", "count": 2, "bytes": 22},
        {"model": "token2wav", "version": "1.0", "count": 1, "bytes": 13},
        {"model": "token2wav", "version": "2", "count": 1, "bytes": 11},
    ]
    embedded.revoke("ben")
    assert not any(path.exists() for path in paths) and len(list(embedded.prompts)) == 1
    assert check(embedded) == []


@pytest.mark.parametrize(
    ("model", "version", "suffix"),
    [("../kokoro", "1", ".npz"), ("kokoro", "1/2", ".npz"), ("kokoro", "", ".npz"), ("a@b", "1", ".npz"),
     ("", "1", ".npz"), ("kokoro", "1", "npz"), ("kokoro", "1", "./x"), (".k", "1", ".npz")],
)  # fmt: skip
def test_a_maker_cannot_leave_the_folder_of_prompts(
    embedded: VoiceLibrary, model: str, version: str, suffix: str
) -> None:
    with pytest.raises(VoiceError, match="cannot name a file"):
        embedded.get("ben").permit.state_path(model, version, suffix)


def test_reindex_deletes_the_prompts(embedded: VoiceLibrary) -> None:
    prompt = with_prompt(embedded, "ben")
    assert reindex(embedded) == {}
    assert not prompt.exists() and list(embedded.prompts) == []


def test_neither_id_nor_recording_of_a_revoked_voice_comes_back(embedded: VoiceLibrary) -> None:
    embedded.revoke("ben")
    with pytest.raises(VoiceError, match="'ben' was revoked on"):
        embedded.add(tone(500, 2), id="ben", name="Ben", description="")
    with pytest.raises(VoiceError, match="recording of 'benny' is that of 'ben', which was revoked"):
        embedded.add(tone(300, 2), id="benny", name="Benny", description="")
    embedded.remove("ben")
    assert embedded.add(tone(300, 2), id="ben", name="Ben", description="").id == "ben"


def test_a_purge_that_a_kill_interrupted_is_finished_by_the_next_change(embedded: VoiceLibrary) -> None:
    path = embedded.get("ben").path
    content = path.read_bytes()
    with embedded.database.change() as db:  # remove() up to its commit
        db.execute("DELETE FROM voices WHERE id = 'ben'")
        db.execute("INSERT INTO discarded VALUES (?)", (path.stem,))
    assert path.exists()
    assert any("not purged yet" in problem.what for problem in check(embedded))
    embedded.set_policy(Policy())
    assert not path.exists() and content not in everything_in(embedded.folder)
    assert check(embedded) == []


def test_the_end_of_a_consent_deletes_data_derived_from_the_voice(embedded: VoiceLibrary) -> None:
    yesterday, today = date.today() - timedelta(days=1), date.today()
    for id, until in (("present", today), ("past", yesterday)):
        consent = FREE.model_copy(update={"until": until})
        embedded.add(tone(500 + len(id), 2), id=id, name=id, description="", licence="CC0-1.0", consent=consent)
    prompt = embedded.prompts.path(embedded.get("past").card.sha256, "token2wav", "1", ".safetensors")
    prompt.parent.mkdir(parents=True)
    prompt.write_bytes(b"tokens")
    usable = {voice.id for voice in embedded.at(embedded.select(purpose="synthesis"))}
    assert "past" not in usable and "present" in usable
    vector = vector_of(embedded, "past")
    check(embedded, repair=True)
    assert not prompt.exists() and vector not in everything_in(embedded.folder)
    assert embedded.get("past").card.description == "" and vector_of(embedded, "present")
    with pytest.raises(ConsentError, match="its consent ended on"):
        embedded.get("past").require()
    assert check(embedded) == []


def test_the_policy_may_allow_missing_fields_but_not_refusals(library: VoiceLibrary) -> None:
    ended = Consent(basis="speaker", holder="Ann", scope=("synthesis",), until=date(2020, 1, 1))
    research = Consent(basis="speaker", holder="Ann", scope=("research",))
    for number, (licence, consent) in enumerate(
        [(None, None), (None, FREE), ("CC0-1.0", None), ("CC0-1.0", ended), ("CC0-1.0", research)]
    ):
        library.add(tone(), id=f"v{number}", name="V", description="", licence=licence, consent=consent)

    def usable(policy: Policy) -> set[str]:
        library.set_policy(policy)
        found = {voice.id for voice in library.at(library.select(purpose="synthesis"))}
        by_card = {voice.id for voice in library if voice.card.refusal("synthesis", policy=policy) is None}
        required = {voice.id for voice in library if library.refusal(voice.id, "synthesis") is None}
        assert found == by_card == required
        return {id for id in found if id.startswith("v")}

    assert usable(Policy()) == set()
    assert usable(Policy(without_licence=True)) == {"v1"}
    assert usable(Policy(without_consent=True)) == {"v2"}
    assert usable(Policy(without_licence=True, without_consent=True)) == {"v0", "v1", "v2"}
    assert VoiceLibrary(library.folder).policy == Policy(without_licence=True, without_consent=True)
    assert len(library.log()) == 4 and "without_consent" in library.log()[-1]["event"]


@pytest.mark.parametrize("name", ["ann", "ann.zip"])
def test_everything_held_on_a_voice_is_exported(embedded: VoiceLibrary, tmp_path: Path, name: str) -> None:
    with_prompt(embedded, "ann")
    place = export_voice(embedded, "ann", tmp_path / name)
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as archive:
            archive.extractall(tmp_path / "unpacked")
        place = tmp_path / "unpacked"
    voice = embedded.get("ann")
    card = json.loads((place / "card.json").read_text())
    assert card["description"] == "the secret of ann" and card["consent"]["holder"] == "nobody"
    assert (place / "clip.flac").read_bytes() == voice.path.read_bytes()
    assert np.load(place / "embedding-bands-32.npy", allow_pickle=False).tobytes() == vector_of(embedded, "ann")
    assert [entry["event"] for entry in json.loads((place / "log.json").read_text())] == ["added"]
    (prompt,) = json.loads((place / "prompts.json").read_text())
    assert (prompt["model"], prompt["version"], prompt["bytes"]) == ("token2wav", "1", 6)
    assert [file.name for file in (place / "prompts").iterdir()] == [prompt["file"]]
    assert (place / "prompts" / prompt["file"]).read_bytes() == b"tokens"
    with pytest.raises(VoiceError, match="exists already"):
        export_voice(embedded, "ann", tmp_path / name)


def test_an_export_that_fails_leaves_nothing(embedded: VoiceLibrary, tmp_path: Path) -> None:
    embedded.revoke("ben")
    assert sorted(file.name for file in export_voice(embedded, "ben", tmp_path / "out").iterdir()) == [
        "card.json", "log.json",
    ]  # fmt: skip
    with pytest.raises(VoiceNotFound):
        export_voice(embedded, "nobody", tmp_path / "none")
    embedded.get("ann").path.unlink()
    with pytest.raises(VoiceError, match="'ann': cannot read"):
        export_voice(embedded, "ann", tmp_path / "none")
    with pytest.raises(VoiceError, match="cannot write"):
        export_voice(embedded, "ben", "/proc/none")
    assert not (tmp_path / "none").exists()


def test_check_reports_problems_and_repairs_what_it_can(embedded: VoiceLibrary) -> None:
    ann, ben = embedded.get("ann"), embedded.get("ben")
    kept = with_prompt(embedded, "ben")
    stray, half, prompt, misplaced = (
        embedded.folder / "clips" / "ab" / f"{'ab' * 32}.flac",
        embedded.folder / "clips" / ".half.tmp",
        embedded.prompts.path("ab" * 32, "token2wav", "1", ".safetensors"),
        kept.parent / ".half.tmp",
    )
    for file in (stray, half, prompt, misplaced):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"left by a kill")
    ben.path.write_bytes(b"changed")
    ann.path.unlink()
    found = [problem.what for problem in check(embedded)]
    assert len(found) == 7 and sum("belongs to no voice" in what for what in found) == 4
    assert sum("'ann': cannot read" in what or "'twin': cannot read" in what for what in found) == 2
    assert stray.exists()
    assert sum(problem.repaired for problem in check(embedded, repair=True)) == 4
    assert not any(file.exists() for file in (stray, half, prompt, misplaced)) and len(embedded) == 3
    assert kept.exists()
    assert len(check(embedded)) == 3


def test_stats_describe_the_library(embedded: VoiceLibrary) -> None:
    embedded.revoke("ben")
    summary = stats(embedded)
    assert (summary["voices"], summary["usable"], summary["revoked"], summary["embedded"]) == (2, 2, 1, 2)
    assert summary["encoder"] == "bands-32" and summary["languages"] == {"und": 2} and summary["bytes"] > 10_000
    json.dumps(summary)


def test_a_voice_outside_any_library_is_judged_by_its_card(library: VoiceLibrary) -> None:
    voice = Voice(library.get("walter").card, library.get("walter").path)
    library.remove("walter")
    assert voice.require("synthesis") is voice
    with pytest.raises(ConsentError, match="covers synthesis, demo, not research"):
        voice.require("research")
