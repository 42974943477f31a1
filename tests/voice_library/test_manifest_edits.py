"""Many cards changed by the rows of a table, in Python and in the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.errors import VoiceError
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.manifest_edits import edit_from
from agentaudio.voice_library.withheld import withheld

RIGHTS = "licence;consent_basis;consent_holder;consent_scope"


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    made = VoiceLibrary.create(tmp_path / "library")
    for number in range(6):
        made.add(tone(200 + 50 * number, 1.5), id=f"v{number}", name=f"Näme {number}", description="A man.")
    made.revoke("v5")
    return made


def test_each_row_changes_the_voice_that_it_names(library: VoiceLibrary, tmp_path: Path) -> None:
    rows = (
        f"id;name;language;{RIGHTS}", "v0;Ann;English;CC0-1.0;Speaker;Ann Lee;synthesis|research",
        ";name 1;;CC0-1.0;licence;B;synthesis", "v9;;;CC0-1.0;;;", ";;;CC0-1.0;;;",
        "v2;;klingon tongue that is far too long to be a language;;;;", "v5;;;CC0-1.0;;;", "v3;;;;;;",
    )  # fmt: skip
    (tmp_path / "cards.csv").write_text("\n".join(rows))
    report = edit_from(library, tmp_path / "cards.csv", common={})
    assert report.edited == ["v0", "v1"] and library.refusal("v0", "research") is None
    card = library.card("v0")
    assert (card.name, card.language, card.description) == ("Ann", "en", "A man.") and card.consent is not None
    why = {row: reason for row, _, reason in report.refused}
    assert set(why) == {4, 5, 6, 7, 8} and "no voice 'v9'" in why[4] and "names no voice" in why[5]
    assert "language" in why[6] and "was revoked" in why[7] and "nothing to change" in why[8]
    assert library.card("v1").name == "Näme 1" and not library.refusal("v1", "synthesis")


def test_a_row_completes_a_consent_and_what_holds_for_all(library: VoiceLibrary, tmp_path: Path) -> None:
    common = {"licence": "CC0-1.0", "consent": {"basis": "speaker", "holder": "A", "scope": ["synthesis"]}}
    rows = [{"id": "v0", "consent_until": "2999-01-31"}, {"id": "v1", "consent": {"holder": "B"}}, {"id": "v2"}]
    (tmp_path / "cards.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert edit_from(library, tmp_path / "cards.jsonl", common=common).refused == []
    consents = [library.card(f"v{number}").consent for number in range(3)]
    assert [(consent.holder, str(consent.until)) for consent in consents if consent] == [
        ("A", "2999-01-31"), ("B", "None"), ("A", "None"),
    ]  # fmt: skip
    (tmp_path / "cards.jsonl").write_text('{"id": "v0", "consent_holder": "C"}')
    edit_from(library, tmp_path / "cards.jsonl")
    assert str(getattr(library.card("v0").consent, "until", "")) == "2999-01-31"


def test_the_table_of_an_ingest_mends_its_voices(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
    for id in ("marcus", "gina"):
        demo_voices().get(id).clip.save(tmp_path / "set" / f"{id}.wav")
    table = tmp_path / "set.tsv"
    table.write_text("file\nmarcus.wav\ngina.wav\n")
    library = VoiceLibrary.create(tmp_path / "ingested")
    assert len(ingest(library, table, root=tmp_path / "set").withheld) == 2
    table.write_text("file\taccent\nmarcus.wav\tscottish\ngina.wav\t\nnone.wav\tx\n../set.tsv\tx\n")
    report = edit_from(library, table, root=tmp_path / "set", common={"licence": "CC0-1.0"})
    assert report.edited == ["marcus", "gina"] and library.card("marcus").accent == "scottish"
    assert [row for row, _, _ in report.refused] == [4, 5]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "licence\nCC0\n", "no column 'id' or 'file'"),
        ("a.csv", "id,sha256\nv0,0\n", "column 'sha256'"),
        ("a.txt", "v0, calm\n", "not a table"),
        ("gone.csv", None, "no such table"),
    ],
)
def test_what_is_no_table_of_cards_is_refused(
    library: VoiceLibrary, tmp_path: Path, name: str, content: str | None, why: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(VoiceError, match=why):
        edit_from(library, tmp_path / name)


def test_the_shell_edits_by_a_table_and_tells_what_stays_withheld(
    library: VoiceLibrary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["voices", *map(str, arguments), "--voices", str(library.folder)])
        return int(ended.value.code or 0), capsys.readouterr().out

    table = tmp_path / "cards.csv"
    table.write_text(f"id,{RIGHTS.replace(';', ',')}\nv0,CC0-1.0,speaker,A,synthesis\nv1,CC0-1.0,,,\nv9,,,,\n")
    code, printed = run("edit", "--from", table, "--language", "Spanish", "--json")
    told = json.loads(printed)
    assert code == 1 and told["edited"] == ["v0", "v1"] and told["withheld"] == {"v1": "it has no consent"}
    assert told["refused"][0]["row"] == 4 and library.card("v1").language == "es"
    listed = json.loads(run("list", "--json")[1])
    assert listed["withheld"] == withheld(library) == {"it has no licence": 3, "it has no consent": 1}
    refusals = {card["id"]: card.get("refusal") for card in listed["voices"]}
    assert refusals["v0"] is None and refusals["v1"] == "it has no consent" and refusals["v2"] == "it has no licence"
    code, printed = run("search", "a man", "--json")
    found = json.loads(printed)
    assert code == 0 and [one["id"] for one in found["voices"]] == ["v0"] and sum(found["withheld"].values()) == 4
    assert run("edit", "v1", "--from", table)[0] == 1 and run("edit")[0] == 1
    code, printed = run("edit", "--from", table, "--basis", "speaker", "--holder", "B")
    assert code == 1 and "row 4" in printed and not library.refusal("v1", "synthesis")
