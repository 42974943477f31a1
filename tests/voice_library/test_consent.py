"""Permission to use a voice: licence, consent, its purposes and last day, the library's policy, and revocation.

Fast, so that it can be run against many mutants of the rules.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.sounds import tone
from support.voices import Bands

from agentaudio.errors import ConsentError, VoiceError, VoiceNotFound
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.prepared import PreparedVoice
from agentaudio.voice_library.voice import STRICT, Consent, Permit, Policy, Quality, Voice, VoiceCard

TODAY = date.today()
DAY = timedelta(days=1)
AGREED = Consent(basis="speaker", holder="Ann", scope=("synthesis", "demo"))
TOLERANT = Policy(without_licence=True, without_consent=True)
REVOKED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def card(**fields: object) -> VoiceCard:
    given = {"id": "ann", "name": "Ann", "description": "", "licence": "CC0-1.0", "consent": AGREED, **fields}
    return VoiceCard.checked("a card", {"sha256": "0" * 64, "duration_s": 2.0, **given})


def until(day: date | None) -> Consent:
    return AGREED.model_copy(update={"until": day})


def outcome(wanted: VoiceCard, purpose: str = "synthesis", policy: Policy = STRICT) -> str | None:
    return wanted.refusal(purpose, policy=policy)


# The card


def test_licence_and_consent_permit_the_purposes_of_the_consent() -> None:
    assert outcome(card()) is None and outcome(card(), "demo") is None
    assert outcome(card(), "research") == "its consent covers synthesis, demo, not research"
    assert outcome(card(), "synth") == "its consent covers synthesis, demo, not synth"
    assert outcome(card(), "") == "its consent covers synthesis, demo, not "


def test_a_consent_without_purposes_covers_nothing() -> None:
    assert outcome(card(consent=AGREED.model_copy(update={"scope": ()}))) == "its consent covers nothing, not synthesis"


@pytest.mark.parametrize(
    ("last", "allowed"),
    [(None, True), (date(2030, 1, 2), True), (date(2030, 1, 1), True), (date(2029, 12, 31), False)],
)
def test_a_consent_is_valid_through_its_last_day(last: date | None, allowed: bool) -> None:
    refusal = card(consent=until(last)).refusal("synthesis", date(2030, 1, 1))
    assert refusal == (None if allowed else "its consent ended on 2029-12-31")


def test_without_a_date_a_consent_is_compared_with_today() -> None:
    assert outcome(card(consent=until(TODAY))) is None
    assert outcome(card(consent=until(TODAY - DAY))) == f"its consent ended on {TODAY - DAY}"
    assert card(consent=until(TODAY - DAY)).refusal("synthesis", TODAY - DAY) is None


@pytest.mark.parametrize("basis", ["speaker", "licence", "synthetic"])
def test_the_basis_of_a_consent_does_not_widen_it(basis: str) -> None:
    consent = Consent.model_validate({"basis": basis, "holder": "Ann", "scope": ("demo",)})
    assert outcome(card(consent=consent)) == "its consent covers demo, not synthesis"


LICENCES = ("CC0-1.0", None, "")
CONSENTS = (None, AGREED, Consent(basis="speaker", holder="Ann", scope=("demo",)), until(TODAY - DAY), until(TODAY))
POLICIES = [Policy(without_licence=a, without_consent=b) for a, b in itertools.product((False, True), repeat=2)]


def permitted(licence: str | None, consent: Consent | None, policy: Policy) -> bool:
    """The rules once more, as a person would say them."""
    if not licence and not policy.without_licence:
        return False
    if consent is None:
        return policy.without_consent
    ended = consent.until is not None and consent.until < TODAY
    return "synthesis" in consent.scope and not ended


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_policy_may_allow_missing_fields_but_not_refusals(policy: Policy) -> None:
    for licence, consent in itertools.product(LICENCES, CONSENTS):
        allowed = outcome(card(licence=licence, consent=consent), policy=policy) is None
        assert allowed == permitted(licence, consent, policy), (licence, consent)


def test_the_reason_names_what_is_missing() -> None:
    assert outcome(card(licence=None, consent=None)) == "it has no licence"
    assert outcome(card(licence="")) == "it has no licence"
    assert outcome(card(consent=None)) == "it has no consent"
    assert outcome(card(licence=None, consent=None), policy=Policy(without_licence=True)) == "it has no consent"
    assert outcome(card(licence=None, consent=None), policy=Policy(without_consent=True)) == "it has no licence"


def test_the_default_policy_allows_no_missing_fields() -> None:
    assert Policy() == STRICT == Policy(without_licence=False, without_consent=False)


def test_nothing_permits_a_revoked_voice() -> None:
    revoked = card().tombstone(REVOKED)
    for purpose, policy in itertools.product(("synthesis", "demo", "research"), POLICIES):
        assert outcome(revoked, purpose, policy) == "it was revoked on 2024-05-06"


def test_a_revoked_card_keeps_written_fields_and_loses_those_derived_from_the_sound() -> None:
    quality = Quality(speech_s=2, snr_db=None, clipped=0, bandwidth_hz=400)
    written = {"description": "Calm.", "tags": ("low",), "gender": "female", "transcript": "Hello.", "quality": quality}
    by_hand = card(**written).tombstone(REVOKED)
    assert by_hand == card(**written | {"quality": None, "revoked": REVOKED})
    by_rule = card(**written, automatic=("description", "tags", "gender")).tombstone(REVOKED)
    assert (by_rule.description, by_rule.tags, by_rule.gender) == ("", (), None)
    assert (by_rule.automatic, by_rule.quality, by_rule.transcript) == ((), None, "Hello.")
    mixed = card(**written, automatic=("tags",)).tombstone(REVOKED)
    assert (mixed.description, mixed.tags, mixed.gender) == ("Calm.", (), "female")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": "../ann"}, "a card: id: String should match"),
        ({"consent": {"basis": "hearsay", "holder": "Ann", "scope": ["synthesis"]}}, "a card: consent.basis: "),
        ({"consent": {"basis": "speaker", "holder": "Ann", "scope": [], "forever": True}}, "a card: consent.forever: "),
        ({"licenced": True}, "a card: licenced: Extra inputs"),
        ({"name": "", "sha256": "0" * 63}, "a card: name: "),
        ({"sha256": "0" * 63}, "a card: sha256: "),
    ],
)  # fmt: skip
def test_a_card_that_is_spelled_wrongly_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(VoiceError) as raised:
        card(**fields)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("id", ("a", "7-b_c", "a" * 64), ("", "-a", "a" * 65, "A", "a b", "a\n")),
        ("name", ("A", "A" * 100), ("", "A" * 101)),
        ("description", ("", "d" * 10_000), ("d" * 10_001,)),
        ("transcript", ("", "t" * 10_000), ("t" * 10_001,)),
        ("language", ("e", "e" * 35), ("", "e" * 36)),
        ("gender", ("female", "male", "neutral", None), ("", "Male")),
        ("age", ("child", "young", "adult", "old", None), ("", "9")),
        ("automatic", ((), ("tags",)), (("name",),)),
        ("sha256", ("0123456789abcdef" * 4,), ("0" * 63, "0" * 65, "G" * 64, "A" * 64)),
    ],
)
def test_fields_accept_only_their_allowed_values(
    name: str, allowed: tuple[object, ...], refused: tuple[object, ...]
) -> None:
    for value in allowed:
        assert getattr(card(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(VoiceError, match=rf"^a card: {name}"):
            card(**{name: value})


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [("speech_s", (0, 0.5), (-0.1, -1)), ("clipped", (0, 0.5, 1), (-0.1, -1, 1.1, 2)), ("bandwidth_hz", (0, 1), (-1,))],
)
def test_a_measurement_is_in_its_range(name: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    measured: dict[str, float | None] = {"speech_s": 2, "snr_db": None, "clipped": 0, "bandwidth_hz": 400}
    for value in allowed:
        assert getattr(Quality.model_validate(measured | {name: value}), name) == value
    for value in refused:
        with pytest.raises(ValueError, match=name):
            Quality.model_validate(measured | {name: value})


def test_optional_fields_of_a_card() -> None:
    bare = VoiceCard(id="ann", name="Ann", description="", sha256="0" * 64, duration_s=2.0)
    assert bare.model_dump(exclude={"id", "name", "description", "sha256", "duration_s"}) == {
        "transcript": "", "language": "und", "tags": (), "gender": None, "age": None, "style": None, "accent": None,
        "source": None, "licence": None, "consent": None, "automatic": (), "quality": None, "added": None,
        "owner": None, "revoked": None,
    }  # fmt: skip


def test_cards_and_consents_cannot_be_changed() -> None:
    for record, name in ((card(), "licence"), (AGREED, "scope"), (STRICT, "without_consent")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(record, name, None)


def test_one_text_has_one_spelling() -> None:
    assert card(name="Zoe\u0308", tags=["cafe\u0301"]) == card(name="Zo\u00eb", tags=["caf\u00e9"])
    assert card(name="e\u0301" * 100).name == "\u00e9" * 100


# A voice outside any library


def test_a_voice_outside_a_library_is_judged_by_its_card(tmp_path: Path) -> None:
    voice = Voice(card(), tmp_path / "ann.flac")
    assert voice.require() is voice and voice.require("demo") is voice
    with pytest.raises(ConsentError, match=r"^voice 'ann' may not be used for research: its consent covers synthesis"):
        voice.require("research")
    assert voice.permit == Permit(card()) and voice.permit.refusal() is None
    assert voice.permit.refusal("research") is not None
    assert voice.permit.state_path("kokoro", "1", ".npz") is None


def test_the_clip_of_a_voice_is_the_one_that_its_card_describes(tmp_path: Path) -> None:
    prepared = PreparedVoice.of(tone(300, 1), id="ann", name="Ann", description="Calm.", transcript="Hello.")
    path = tmp_path / "ann.flac"
    path.write_bytes(prepared.content)
    voice = Voice(prepared.card, path)
    assert voice.clip.duration == pytest.approx(1) and voice.clip is voice.clip
    assert (voice.id, voice.name, voice.description, voice.transcript) == ("ann", "Ann", "Calm.", "Hello.")
    assert repr(voice) == "Voice('ann', 'Ann')" and voice == Voice(prepared.card, path, home=None)
    assert voice == Voice(prepared.card, path, content=prepared.content)
    assert hash(voice) == hash(Voice(prepared.card, path)) != hash(Voice(card(id="ben"), path))
    assert voice.to_dict()["transcript"] == "Hello." and "licence" not in voice.to_dict()
    assert json.loads(json.dumps(voice.to_dict()))["added"] == TODAY.isoformat()
    for thing, field in ((voice, "card"), (voice.permit, "home")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, field, None)
    path.write_bytes(tone(400, 1).to_bytes("flac"))
    with pytest.raises(VoiceError, match=r"voice 'ann': .*ann\.flac changed after it was added; add it again"):
        _ = Voice(prepared.card, path).clip
    path.write_bytes(b"not a sound")
    digest = hashlib.sha256(b"not a sound").hexdigest()
    with pytest.raises(VoiceError, match="^voice 'ann': "):
        _ = Voice(card(sha256=digest), path).clip
    path.unlink()
    with pytest.raises(VoiceError, match=r"voice 'ann': cannot read .*: No such file"):
        _ = Voice(prepared.card, path).clip


def test_a_voice_without_consent_is_refused_by_default(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="may not be used for synthesis: it has no consent"):
        Voice(card(consent=None), tmp_path / "ann.flac").require()


# A library


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> PreparedVoice:
    return PreparedVoice.of(tone(300, 1), encoder=Bands(), id="template", name="Template", description="")


@pytest.fixture
def library(tmp_path: Path, template: PreparedVoice) -> Iterator[VoiceLibrary]:
    """A voice for every licence and consent, all with the same clip: `l0-c1` is the first licence, second consent."""
    made = VoiceLibrary.create(tmp_path / "voices", encoder=Bands())
    made.store(
        [
            PreparedVoice(
                template.card.model_copy(update={"id": f"l{number}-c{other}", "licence": licence, "consent": consent}),
                template.content, template.vector,
            )
            for (number, licence), (other, consent) in itertools.product(enumerate(LICENCES), enumerate(CONSENTS))
        ]
    )  # fmt: skip
    yield made
    made.close()


def test_search_and_use_of_a_library_follow_the_rules_of_the_card(library: VoiceLibrary) -> None:
    for policy in POLICIES:
        library.set_policy(policy)
        for purpose in ("synthesis", "demo", "research"):
            found = {voice.id for voice in library.at(library.select(purpose=purpose))}
            by_card = {voice.id for voice in library if voice.card.refusal(purpose, policy=policy) is None}
            usable = {voice.id for voice in library if library.refusal(voice.id, purpose) is None}
            assert found == by_card == usable
            for voice in library:
                assert (voice.permit.refusal(purpose) is None) == (voice.id in found)
                place = voice.permit.state_path("kokoro", "1", ".npz")
                assert (place is None) == (library.refusal(voice.id, "synthesis") is not None)
    assert len(library.select(purpose="synthesis")) == 9 and VoiceLibrary(library.folder).policy == TOLERANT


def test_a_policy_is_logged_and_takes_effect_at_once(library: VoiceLibrary) -> None:
    voice = VoiceLibrary(library.folder).get("l1-c0")
    with pytest.raises(ConsentError, match="no licence"):
        voice.require()
    library.set_policy(TOLERANT)
    assert voice.require() is voice
    library.set_policy(STRICT)
    with pytest.raises(ConsentError, match="no licence"):
        voice.require()
    assert [TOLERANT.model_dump_json() in entry["event"] for entry in library.log()] == [True, False]


def test_a_revocation_reaches_every_voice_object_at_once(library: VoiceLibrary) -> None:
    reader = VoiceLibrary(library.folder)
    held = reader.get("l0-c1")
    copy = pickle.loads(pickle.dumps(held))
    assert held.require() is held and copy.require() is copy
    before = library.select(purpose="synthesis")
    revoked = library.revoke("l0-c1")
    assert revoked.revoked is not None and revoked.revoked.tzinfo is UTC
    for voice in (held, copy):
        with pytest.raises(ConsentError, match=rf"was revoked on {revoked.revoked:%Y-%m-%d}"):
            voice.require()
        assert voice.permit.state_path("kokoro", "1", ".npz") is None
    with pytest.raises(VoiceNotFound, match="was revoked on"):
        reader.get("l0-c1")
    assert len(reader.select(purpose="synthesis")) == len(before) - 1
    assert "l0-c1" not in {voice.id for voice in reader} and reader.has("l0-c1")
    assert library.revoke("l0-c1") == revoked and len(library.log("l0-c1")) == 2
    library.set_policy(TOLERANT)
    with pytest.raises(ConsentError, match="revoked"):
        held.require()


def test_a_removed_voice_is_refused(library: VoiceLibrary) -> None:
    held = library.get("l0-c1")
    assert held == Voice(held.card, held.path)
    library.remove("l0-c1")
    assert held.permit.refusal() == "it was removed from the library" and not library.has("l0-c1")
    with pytest.raises(ConsentError, match="may not be used for synthesis: it was removed from the library"):
        held.require()


def test_a_revoked_id_and_a_revoked_recording_stay_out(library: VoiceLibrary, template: PreparedVoice) -> None:
    library.revoke("l0-c1")
    again = template.card.model_copy(update={"id": "l0-c1"})
    renamed = template.card.model_copy(update={"id": "other"})
    outcomes = library.store([PreparedVoice(one, template.content, template.vector) for one in (again, renamed)])
    assert "'l0-c1' was revoked on" in str(outcomes[0]) and "is that of 'l0-c1', which was revoked" in str(outcomes[1])
    known = library.recorded(template.card.sha256)
    assert known is not None


def test_an_ended_consent_deletes_the_embedding_and_what_models_kept(tmp_path: Path, template: PreparedVoice) -> None:
    library = VoiceLibrary.create(tmp_path / "voices", encoder=Bands())
    cards = [
        template.card.model_copy(update={"id": id, "licence": "CC0-1.0", "consent": until(last)})
        for id, last in (("past", TODAY - DAY), ("present", TODAY), ("open", None))
    ]
    library.store([PreparedVoice(one, template.content, template.vector) for one in cards])
    kept = library.prompts.path(template.card.sha256, "kokoro", "1", ".npz")
    kept.parent.mkdir(parents=True)
    kept.touch()
    library.purge()
    assert {voice.id for voice in library.at(library.select(embedded=True))} == {"present", "open"}
    assert not kept.exists() and library.clip_files.path(template.card.sha256).exists()
    assert [len(library.log(id)) for id in ("past", "present", "open")] == [2, 1, 1]
    library.purge()
    assert len(library.log("past")) == 2 and library.log("past")[-1]["event"] == "consent ended"
