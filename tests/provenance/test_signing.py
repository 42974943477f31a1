"""Signed files: what they say, that they sound the same, and that every change of them is told."""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from support.local_http import local_server
from support.models import scripted
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.errors import AudioError, ConsentError, OptionError
from agentaudio.provenance.claims import LABEL, Claims
from agentaudio.provenance.credentials import CERTIFICATE, KEY, Credentials, local_folder
from agentaudio.provenance.inspection import Inspection, inspect
from agentaudio.provenance.provenance import Origin, Provenance
from agentaudio.provenance.signing import SIGNABLE
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent, ConsentRecording, Source

pytest.importorskip("c2pa", reason="signing needs the extra provenance")

SOUND = tone(220, 1, sample_rate=24_000)


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where the certificate of the installation is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def lent(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> VoiceLibrary:
    """A library with a voice that a person lent by a recording."""
    library = VoiceLibrary(shutil.copytree(library_folder, tmp_path_factory.mktemp("lent") / "voices"))
    spoken = library.consents.add(tone(), name="Ana Maria", language="en", transcript="I agree.", owner=None)
    recording = ConsentRecording(
        id=spoken.id, sha256=spoken.sha256, transcript="I agree.", language="en", same_speaker=0.9
    )
    library.add(
        tone(140, 2), id="ana", name="Ana", description="A voice.", licence="CC0-1.0", language="en",
        source=Source(engine="a microphone", voice="USB"),
        consent=Consent(
            basis="speaker", holder="Ana Maria", scope=("synthesis",), until=date(2999, 1, 2),
            evidence="a letter by Ana Maria", recording=recording,
        ),
    )  # fmt: skip
    return library


def signed(format: str = "wav", *voices: Any, sound: Audio = SOUND, **more: Any) -> bytes:
    origin = Origin("a model", provenance=Provenance(sign="local", **more)).heard(*voices)
    return origin.file(sound.to_bytes(format), format)


@pytest.mark.parametrize("format", SIGNABLE)
def test_a_signed_file_sounds_the_same_and_says_who_spoke_under_which_consent(format: str, lent: VoiceLibrary) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    content = signed(format, lent.get("ana"), None)
    assert Audio.load(content) == Audio.load(SOUND.to_bytes(format))
    found = inspect(content)
    assert (found.signature, found.format, found.problems) == ("intact", format, ())
    assert found.signer is not None and found.signer.standing == "this installation"
    assert "self-signed" in found.signer.organisation
    assert found.generator is not None and found.generator.startswith("agentaudio ")
    assert found.source == "trainedAlgorithmicMedia"
    claims = found.claims
    assert claims is not None and claims.model == "a model" and claims.own_voice
    assert began <= claims.spoken <= datetime.now(UTC)
    (voice,) = claims.voices
    assert (voice.id, voice.name, voice.source, voice.licence) == ("ana", "Ana", "a microphone USB", "CC0-1.0")
    assert voice.clip_sha256 == lent.get("ana").card.sha256
    consent = voice.consent
    assert consent is not None and (consent.basis, consent.scope, consent.until) == (
        "speaker",
        ("synthesis",),
        "2999-01-02",
    )
    assert consent.recording is not None and consent.recording.made is not None
    assert consent.recording.id == lent.get("ana").card.consent.recording.id  # type: ignore[union-attr]


def test_the_name_of_a_person_is_stated_on_request_only(lent: VoiceLibrary) -> None:
    ana, ruby = lent.get("ana"), lent.get("ruby")
    assert b"Ana Maria" not in signed("wav", ana)
    named = inspect(signed("wav", ana, name_persons=True)).claims
    assert named is not None and named.voices[0].consent is not None
    assert named.voices[0].consent.holder == "Ana Maria"
    synthetic = inspect(signed("wav", ruby)).claims
    assert synthetic is not None and synthetic.voices[0].consent is not None
    assert synthetic.voices[0].consent.holder == "nobody"  # a synthetic voice has no person


@pytest.mark.parametrize(
    ("speech", "imitation", "source"),
    [
        ("trained", "cloned", "trainedAlgorithmicMedia"),
        ("rules", None, "algorithmicMedia"),
        ("rules", "moved", "compositeSynthetic"),
        ("trained", "converted", "compositeSynthetic"),
    ],
)
def test_the_kind_of_synthesis_is_stated(lent: VoiceLibrary, speech: Any, imitation: Any, source: str) -> None:
    origin = Origin("m", speech, Provenance(sign="local"), (lent.get("ruby"),), imitation)
    assert inspect(origin.file(SOUND.to_bytes("wav"), "wav")).source == source


def test_a_reply_is_saved_with_the_voices_that_were_heard(lent: VoiceLibrary, tmp_path: Path) -> None:
    agent = Agent(scripted("Hello there."), voices=VoiceSearch(lent), voice="ana", provenance=Provenance(sign="local"))
    reply = agent.run_sync("hi")
    claims = inspect(reply.save(tmp_path / "a.wav")).claims
    assert claims is not None and [voice.id for voice in claims.voices] == ["ana"] and not claims.own_voice
    assert claims.model == "scripted"
    assert "origin" not in reply.to_dict()


def test_a_reply_can_be_copied_and_pickled_and_holds_no_key_then(tmp_path: Path) -> None:
    reply = Agent(scripted("Hello there."), provenance=Provenance(sign="local")).run_sync("hi")
    reply.save(tmp_path / "a.wav")
    assert copy.deepcopy(reply) == reply
    packed = pickle.dumps(reply)
    assert b"PRIVATE KEY" not in packed
    assert inspect(pickle.loads(packed).save(tmp_path / "b.wav")).signature == "intact"


def test_replies_are_signed_only_where_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTAUDIO_SIGN", raising=False)
    plain = Agent(scripted("Hello there.")).run_sync("hi").save(tmp_path / "a.wav")
    assert inspect(plain).signature == "none"
    monkeypatch.setenv("AGENTAUDIO_SIGN", "local")
    assert inspect(Agent(scripted("Hello there.")).run_sync("hi").save(tmp_path / "b.wav")).signature == "intact"


def test_a_format_without_a_place_for_a_signature_is_refused_and_an_older_file_stays(tmp_path: Path) -> None:
    agent = Agent(scripted("Hello there."), provenance=Provenance(sign="local"))
    reply, old = agent.run_sync("hi"), tmp_path / "a.ogg"
    old.write_bytes(b"old")
    with pytest.raises(AudioError, match="'ogg' files cannot be signed; use flac, mp3, wav"):
        reply.save(old)
    assert old.read_bytes() == b"old"


def test_a_voice_that_was_revoked_meanwhile_is_not_signed_for(lent: VoiceLibrary, tmp_path: Path) -> None:
    library = VoiceLibrary(shutil.copytree(lent.folder, tmp_path / "voices"))
    agent = Agent(scripted("Hi."), voices=VoiceSearch(library), voice="ruby", provenance=Provenance(sign="local"))
    reply = agent.run_sync("hi")
    library.revoke("ruby")
    with pytest.raises(ConsentError, match="'ruby' may not be used"):
        reply.save(tmp_path / "a.wav")
    assert not (tmp_path / "a.wav").exists()


# Tampering


def content_of(found: Inspection) -> Any:
    """What an inspection says, without judging."""
    return found.claims, found.signer and (found.signer.name, found.signer.organisation), found.generator, found.source


@pytest.mark.parametrize("format", SIGNABLE)
def test_no_byte_of_sound_or_claims_can_be_changed_unnoticed(format: str, lent: VoiceLibrary) -> None:
    content = signed(format, lent.get("ana"), sound=SOUND.slice(0, 0.2))
    plain, sound = inspect(content), Audio.load(content)
    for place in random.Random(7).sample(range(len(content)), 80):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        found = inspect(bytes(changed))
        if found.signature == "intact":  # padding of the manifest, which stands for nothing
            assert content_of(found) == content_of(plain) and Audio.load(bytes(changed)) == sound, place


def test_cut_lengthened_and_exchanged_files_are_told(lent: VoiceLibrary) -> None:
    one, other = signed("wav", lent.get("ana")), signed("wav", lent.get("ruby"), sound=tone(330, 1, sample_rate=24_000))
    start = len(SOUND.to_bytes("wav"))
    assert one[start : start + 4] == b"C2PA" == other[start : start + 4]
    for changed in (one[:-1], one[: start + 200], one[:2_000], one + b"\0\0", one + b"LIST\4\0\0\0abcd", one + one):
        assert inspect(changed).signature == "broken"
    assert inspect(one[:start] + other[start:]).signature == "broken"  # the manifest of another file
    without = one[:4] + (start - 8).to_bytes(4, "little") + one[8:start]
    assert inspect(without).signature == "none"


def test_sound_that_was_encoded_again_is_unsigned() -> None:
    assert inspect(Audio.load(signed("wav")).to_bytes("flac")).signature == "none"


@pytest.mark.parametrize("format", ["ogg", "opus"])
def test_other_formats_have_no_signature(format: str) -> None:
    found = inspect(SOUND.to_bytes(format))
    assert found.signature == "none" and "no place for a signature" in found.problems[0]


# Signers


def test_the_certificate_of_the_installation_is_made_once_and_kept_private() -> None:
    with ThreadPoolExecutor(8) as pool:
        serials = {one.serial for one in pool.map(lambda _: Credentials.local(), range(8))}
    assert len(serials) == 1
    for name in (CERTIFICATE, KEY):
        assert stat.S_IMODE((local_folder() / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(local_folder().stat().st_mode) == 0o700
    assert sorted(path.name for path in local_folder().parent.iterdir()) == [local_folder().name]
    assert "BEGIN" not in repr(Credentials.local())


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of credentials that another installation made."""
    with monkeypatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path))
        Credentials.local()
        return local_folder()


def test_a_stranger_who_claims_a_voice_is_not_believed_unless_trusted(strangers: Path, lent: VoiceLibrary) -> None:
    origin = Origin("m", provenance=Provenance(sign=strangers), voices=(lent.get("ana"),))
    forged = origin.file(SOUND.to_bytes("wav"), "wav")
    found = inspect(forged)
    assert found.signature == "intact" and found.signer is not None and found.signer.standing == "unknown"
    trusted = inspect(forged, trust=(strangers / CERTIFICATE).read_bytes())
    assert trusted.signer is not None and trusted.signer.standing == "trusted"


def test_credentials_that_cannot_sign_are_refused_in_words(strangers: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(strangers, tmp_path / "broken"))
    with pytest.raises(OptionError, match="cannot read .*missing"):
        Provenance(sign=tmp_path / "missing").load()
    (broken / KEY).write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(OptionError, match="give PEM files, the key without a password"):
        Provenance(sign=broken).load()
    shutil.copy(local_folder() / KEY, broken / KEY)
    Credentials.local()
    shutil.copy(local_folder() / KEY, broken / KEY)
    with pytest.raises(OptionError, match="is not the key of the first certificate"):
        Provenance(sign=broken).load()
    lone = (strangers / CERTIFICATE).read_text().split("-----BEGIN CERTIFICATE-----")[2]
    (broken / CERTIFICATE).write_text(f"-----BEGIN CERTIFICATE-----{lone}")
    with pytest.raises(OptionError):
        Provenance(sign=broken).load()
    with pytest.raises(OptionError, match="the certificates to trust are not PEM"):
        inspect(signed(), trust=b"hello")


def test_a_key_that_others_can_read_is_warned_about(strangers: Path, caplog: pytest.LogCaptureFixture) -> None:
    Credentials.load(strangers)
    assert not caplog.messages
    (strangers / KEY).chmod(0o644)
    Credentials.load(strangers)
    assert "other users can read or write" in caplog.messages[0]


# Manifests of strangers


def made_by_hand(manifest: dict[str, Any], **builder: Any) -> bytes:
    """A file with any manifest, signed with the certificate of the installation."""
    import io

    import c2pa

    own = Credentials.local()
    made = io.BytesIO()
    with c2pa.Signer.from_info(c2pa.C2paSignerInfo(own.algorithm, own.certificates, own.key, None)) as signer:
        with c2pa.Builder.from_json(json.dumps(manifest), context=c2pa.Context()) as one:
            if address := builder.get("remote"):
                one.set_no_embed()
                one.set_remote_url(address)
            one.sign(signer, "audio/wav", io.BytesIO(SOUND.to_bytes("wav")), made)
    return made.getvalue()


CREATED = {"label": "c2pa.actions.v2", "data": {"actions": [{
    "action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
}]}}  # fmt: skip
HOSTILE = [
    {"voices": "all"},
    {"agentaudio": "x" * 10_000, "model": "m", "spoken": "2026-01-01T00:00:00Z"},
    {"agentaudio": "1", "model": "m", "spoken": "yesterday"},
    {"agentaudio": "1", "model": "m", "spoken": "2026-01-01T00:00:00Z", "voices": [{}] * 1_000},
    [1, 2, 3],
    {"deep": json.loads("[" * 60 + "]" * 60)},
]


@pytest.mark.parametrize("data", HOSTILE)
def test_claims_of_another_form_are_left_out(data: Any) -> None:
    content = made_by_hand({
        "claim_generator_info": [{"name": "evil\x1b[2J\nprogram", "version": "1" * 5_000}],
        "assertions": [CREATED, {"label": LABEL, "data": data, "kind": "Json"}],
    })  # fmt: skip
    found = inspect(content)
    assert found.signature == "intact" and found.claims is None and found.source == "digitalCapture"
    assert found.generator is not None and found.generator.startswith("evil\\x1b[2J program 1111")
    assert len(found.generator) < 450 and all(len(problem) < 300 for problem in found.problems)


def test_a_manifest_elsewhere_is_not_fetched() -> None:
    with local_server() as server:
        content = made_by_hand(
            {"claim_generator_info": [{"name": "x"}], "assertions": [CREATED]}, remote=f"{server.url}/manifest.c2pa"
        )
        assert inspect(content).signature in ("none", "broken")
        assert not server.asked


def test_files_that_cannot_be_inspected_are_errors_in_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path, words in ((tmp_path / "none.wav", "No such file"), (tmp_path / "pipe.wav", "not a regular file")):
        with pytest.raises(AudioError, match=words):
            inspect(path)
    assert inspect(b"").signature == inspect(b"hello").signature == "none"


def test_claims_are_read_as_they_were_written(lent: VoiceLibrary) -> None:
    claims = Origin("m", provenance=Provenance(sign="local"), voices=(lent.get("ana"), None)).claims()
    assert Claims.model_validate_json(claims.model_dump_json(exclude_none=True)) == claims
