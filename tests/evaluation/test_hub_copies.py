"""Copies of benchmarks on the hub, from a server that answers as the hub does: fetched, verified and laid out."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from support.benchmarks import sound
from support.file_server import Fault, FileServer, file_server, sha256

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark, find_benchmark, installed_benchmarks
from agentaudio.evaluation.data import load_items
from agentaudio.evaluation.hub.copy import HubName, hub_name
from agentaudio.evaluation.hub.fetch import Fetched, fetch_copy
from agentaudio.evaluation.item import Item

COMMIT = "4" * 40


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    with file_server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def publish(
    server: FileServer, repository: str, files: Mapping[str, bytes], *, plain: tuple[str, ...] = (), **info: Any
) -> None:
    """Put a data set on the hub. plain: files that are not in LFS"""
    siblings: list[dict[str, Any]] = [{"rfilename": ".gitattributes", "size": 3, "blobId": "0" * 40}]
    for name, content in files.items():
        one: dict[str, Any] = {"rfilename": name, "size": len(content)}
        one["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if name not in plain:
            one["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
        siblings.append(one)
        server.files[f"/datasets/{repository}/resolve/{COMMIT}/{name}"] = content
    answer = {"id": repository, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "cc-by-4.0"}, **info}
    for revision in ("main", COMMIT):
        server.files[f"/api/datasets/{repository}/revision/{revision}"] = json.dumps(answer).encode()


def wave(tmp_path: Path, seconds: float = 0.1) -> bytes:
    return sound(tmp_path / f"{seconds}.wav", seconds).read_bytes()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


async def fetched(benchmark: Benchmark, name: str = "hf:", said: list[str] | None = None) -> Fetched:
    asked = hub_name(name, benchmark.hub, benchmark.title)
    assert benchmark.hub is not None
    return await fetch_copy(asked, benchmark.hub, say=([] if said is None else said).append)


async def items(benchmark: Benchmark, name: str = "hf:") -> list[Item]:
    found = await fetched(benchmark, name)
    return load_items(benchmark, found.folder)


def copies(tmp_path: Path) -> dict[str, tuple[dict[str, bytes], list[tuple[str, str, str]]]]:
    """For each benchmark the files of its copy, and (group, reference, text) of the items in them."""
    audio = {"bytes": wave(tmp_path), "path": "some.wav"}
    row = {"audio": audio, "text": "good day"}
    archive, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("URO-Bench-data/basic/Repeat/1.wav", wave(tmp_path))
        line = {"id": 1, "source_wav": "1.wav", "source_text": "say hi", "target_text": "hi"}
        zipped.writestr("URO-Bench-data/basic/Repeat/test.jsonl", json.dumps(line))
    with tarfile.open(fileobj=tar, mode="w:gz") as tarred:
        member = tarfile.TarInfo("test/a.wav")
        member.size = len(wave(tmp_path))
        tarred.addfile(member, io.BytesIO(wave(tmp_path)))
    question = {"id": "q", "question": "Which?", "choices": ["a", "b"], "answer": "b", "task": "sound"}
    order = "Give the right option in the form <RESPONSE>option</RESPONSE>."
    rules = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"x": None}]}
    fleurs = "1\ta.wav\tGood day.\tgood day\tg o\t1600\tMALE"
    return {
        "librispeech": (
            {
                "clean/test-0-of-1.parquet": parquet([{**row, "id": "1-2-0003"}]),
                "other/test-0-of-1.parquet": parquet([{**row, "id": "2-2-0003"}]),
                "clean/train.parquet": b"not needed",
            },
            [("test-clean", "good day", ""), ("test-other", "good day", "")],
        ),
        "fleurs-en": (
            {"data/en_us/test.tsv": fleurs.encode(), "data/en_us/audio/test.tar.gz": tar.getvalue()},
            [("", "good day", "")],
        ),
        "common-voice-en": (
            {"en/test-0.parquet": parquet([{"audio": audio, "sentence": one} for one in ("tab\there", "b")])},
            [("", "tab here", ""), ("", "b", "")],
        ),
        "wenetspeech": (
            {"test_net/a.parquet": parquet([row]), "test_meeting/a.parquet": parquet([row, row])},
            [("test_meeting", "goodday", ""), ("test_meeting", "goodday", ""), ("test_net", "goodday", "")],
        ),
        "mmau": (
            {
                "data/v05.15.25-0.parquet": parquet(
                    [{**question, "audio": audio}]
                )
            },
            [("sound", "b", f"Which?\nOptions: ['a', 'b']\n{order}")],
        ),
        "covost2-zh-en": ({"zh_en/test-0.parquet": parquet([{"audio": audio, "gt": "hi"}])}, [("", "hi", "")]),
        "covost2-en-zh": ({"data/test-0.parquet": parquet([{"audio": audio, "translation": "好"}])}, [("", "好", "")]),
        "stepeval-paralinguistic": (
            {"data/age-0.parquet": parquet([{"audio": audio, "task_name": "age", "task_answer": "40"}])},
            [("age", "40", "")],
        ),
        "uro-bench": ({"URO-Bench-data.zip": archive.getvalue()}, [("Repeat", "hi", "")]),
        "big-bench-audio": (
            {
                "data/question_7.mp3": wave(tmp_path),
                "data/metadata.jsonl": json.dumps({"id": 7, "category": "navigate", "official_answer": "No"}).encode(),
            },
            [("navigate", "No", "")],
        ),
        "voicebench": (
            {
                "mmsu/law-0.parquet": parquet([{"audio": audio, "prompt": "p", "reference": "A"}]),
                "mmsu/physics-0.parquet": parquet([{"audio": audio, "prompt": "p", "reference": "B"}]),
                "ifeval/test-0.parquet": parquet(
                    [{"audio": audio, "prompt": "p", **rules}]
                ),
                "sd-qa/usa-0.parquet": parquet([{"audio": audio, "prompt": "p", "reference": "C"}]),
                "sd-qa/gbr-0.parquet": parquet([{"audio": audio, "prompt": "p", "reference": "D"}]),
            },
            [("ifeval", "", ""), ("mmsu", "A", ""), ("mmsu", "B", ""), ("sd-qa", "C", "")],
        ),
    }  # fmt: skip


NAMES = ("librispeech", "fleurs-en", "common-voice-en", "wenetspeech", "mmau", "covost2-zh-en", "covost2-en-zh",
         "stepeval-paralinguistic", "uro-bench", "big-bench-audio", "voicebench")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_the_copy_of_a_benchmark_is_read_as_the_published_folder_is(
    name: str, server: FileServer, tmp_path: Path
) -> None:
    benchmark = find_benchmark(name)
    assert benchmark.hub is not None
    files, expected = copies(tmp_path)[name]
    plain = tuple(one for one in files if one.endswith((".tsv", ".jsonl")))
    publish(server, benchmark.hub.repository, files, plain=plain)
    found = await items(benchmark)
    assert sorted((one.group, one.reference, one.text) for one in found) == sorted(expected)
    assert all(one.audio is not None and one.audio.read_bytes() == wave(tmp_path) for one in found)
    asked = [path for path, _ in server.asked if "/resolve/" in path]
    assert not any(part in path for path in asked for part in ("train", "gbr", ".gitattributes"))


def test_benchmarks_without_a_copy_are_those_that_are_given_by_application_or_nowhere_on_the_hub() -> None:
    without = {name for name in installed_benchmarks() if find_benchmark(name).hub is None}
    assert without == {"aishell-2", "kespeech", "cvss-en-zh", "cvss-zh-en", "seed-tts-eval-en", "seed-tts-eval-zh",
                       "seed-tts-eval-zh-hard"}  # fmt: skip


def voicebench(server: FileServer, tmp_path: Path, **info: Any) -> tuple[Benchmark, str]:
    row = {"audio": {"bytes": wave(tmp_path), "path": None}, "prompt": "p", "reference": "A"}
    path = "openbookqa/test-0.parquet"
    publish(server, "hlt-lab/voicebench", {path: parquet([row])}, **info)
    return find_benchmark("voicebench"), f"/datasets/hlt-lab/voicebench/resolve/{COMMIT}/{path}"


async def test_size_and_licence_are_said_first_and_the_commit_is_pinned(server: FileServer, tmp_path: Path) -> None:
    benchmark, path = voicebench(server, tmp_path)
    said: list[str] = []
    first = await fetched(benchmark, "hf:", said)
    assert first.name == HubName("hlt-lab/voicebench", COMMIT)
    (line,) = said
    assert f"hf:hlt-lab/voicebench@{COMMIT}: 1 files" in line and "licence cc-by-4.0" in line and " kB" in line
    asked = len(server.asked)
    assert await fetched(benchmark, str(first.name), said) == first  # complete: neither asked for nor announced
    assert (len(server.asked), len(said)) == (asked, 1)


async def test_nothing_is_asked_when_the_hub_is_switched_off(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, _ = voicebench(server, tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EvaluationError, match="not on this machine, and the hub is not asked, because HF_HUB_OFFLINE"):
        await fetched(benchmark)
    assert server.asked == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    pinned = await fetched(benchmark)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert await fetched(benchmark, str(pinned.name)) == pinned


async def test_a_hub_that_cannot_be_reached_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EvaluationError, match="hf:hlt-lab/voicebench@main cannot be fetched: .*127.0.0.1") as caught:
        await fetched(find_benchmark("voicebench"))
    assert "\n" not in str(caught.value)


async def test_a_fetch_that_broke_off_goes_on_and_a_wrong_file_is_refused(server: FileServer, tmp_path: Path) -> None:
    benchmark, path = voicebench(server, tmp_path)
    server.faults[path] = [Fault(cut_after=100), Fault(status=403), Fault()]
    with pytest.raises(EvaluationError, match="cannot be fetched: .* answered 403; what has arrived is kept"):
        await fetched(benchmark)
    await fetched(benchmark)
    assert [headers.get("range") for name, headers in server.asked if name == path][-1] == "bytes=100-"
    other, _ = voicebench(server, tmp_path / "other", sha="5" * 40)
    server.files[path.replace(COMMIT, "5" * 40)] = server.files[path][:-1] + b"x"
    with pytest.raises(EvaluationError, match="has the sha256"):
        await fetched(other)


async def test_files_in_the_cache_of_the_hub_are_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    benchmark, path = voicebench(server, tmp_path)
    place = tmp_path / f"hub-home/hub/datasets--hlt-lab--voicebench/snapshots/{COMMIT}/openbookqa/test-0.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(server.files[path])
    found = await fetched(benchmark)
    assert len(load_items(benchmark, found.folder)) == 1 and path not in [name for name, _ in server.asked]


async def test_a_plain_file_that_is_not_the_listed_one_is_refused(server: FileServer, tmp_path: Path) -> None:
    benchmark = find_benchmark("big-bench-audio")
    files = copies(tmp_path)["big-bench-audio"][0]
    publish(server, "ArtificialAnalysis/big_bench_audio", files, plain=("data/metadata.jsonl",))
    server.files[f"/datasets/ArtificialAnalysis/big_bench_audio/resolve/{COMMIT}/data/metadata.jsonl"] += b" "
    with pytest.raises(EvaluationError, match="data/metadata.jsonl is not the file that the hub lists"):
        await fetched(benchmark)


async def test_the_login_is_sent_to_a_gated_data_set_only(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_Secret")
    benchmark, path = voicebench(server, tmp_path, gated="auto")
    server.faults[path] = [Fault(status=403), Fault()]
    with pytest.raises(EvaluationError, match=r"is gated: accept its terms at http://\S+/datasets/hlt-lab/voicebench"):
        await fetched(benchmark)
    await fetched(benchmark)
    sent = {"api" in name: headers.get("authorization") for name, headers in server.asked}
    assert sent == {True: None, False: "Bearer hf_Secret"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:no-owner", "is not a data set of the hub; write hf:OWNER/NAME@REVISION"),
        ("hf:a/b@", "is not a data set of the hub"),
        ("hf:../b", "is not a data set of the hub"),
        ("hf:a/b@../../x", "is not a data set of the hub"),
        ("hf:nobody/none", "no data set 'nobody/none' with the revision 'main' that everybody may see"),
        ("hf:@v1", "no data set 'hlt-lab/voicebench' with the revision 'v1'"),
        ("hf:some/other", "has none of the files .*; it has .gitattributes, notes.txt: it is another data set"),
        ("hf:some/columns", "holds a row without sound; its columns are sound_file, prompt"),
        ("hf:some/broken", "test-0.parquet cannot be read"),
        ("hf:some/liar", "does not answer as the hub does"),
    ],
)
async def test_other_data_sets_are_one_clear_error(name: str, message: str, server: FileServer, tmp_path: Path) -> None:
    publish(server, "some/other", {"notes.txt": b"hello"})
    publish(server, "some/columns", {"bbh/test-0.parquet": parquet([{"sound_file": "a.wav", "prompt": "p"}])})
    publish(server, "some/broken", {"bbh/test-0.parquet": b"PAR1 not really"})
    server.files["/api/datasets/some/liar/revision/main"] = b"<html>log in</html>"
    with pytest.raises(EvaluationError, match=message) as caught:
        await items(find_benchmark("voicebench"), name)
    assert "\n" not in str(caught.value)


async def test_names_that_lead_out_of_the_folder_are_refused(server: FileServer, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("../../evil", b"x")
    publish(server, "Honggao/URO-Bench", {"URO-Bench-data.zip": archive.getvalue()})
    with pytest.raises(EvaluationError, match=r"names the file '../../evil', which is outside of it"):
        await fetched(find_benchmark("uro-bench"))
    row = {"audio": {"bytes": wave(tmp_path), "path": "a.wav"}, "text": "x", "id": "../../../../evil"}
    publish(server, "openslr/librispeech_asr", {"clean/test-0.parquet": parquet([row])})
    with pytest.raises(EvaluationError, match="which is outside of its folder; do not use it"):
        await fetched(find_benchmark("librispeech"))
    publish(server, "hlt-lab/voicebench", {"bbh/test/../../../../evil.parquet": parquet([row])})
    with pytest.raises(EvaluationError, match="whose name leads out of its folder"):
        await fetched(find_benchmark("voicebench"))
    assert not list(tmp_path.rglob("evil*"))


def test_a_benchmark_without_a_copy_says_so() -> None:
    kespeech = find_benchmark("kespeech")
    with pytest.raises(
        EvaluationError, match="KeSpeech phase1 has no copy on the hub that is known here; give a folder"
    ):
        hub_name("hf:", kespeech.hub, kespeech.title)


def test_the_command_fetches_a_copy_and_notes_its_commit(
    server: FileServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentaudio.cli import main

    monkeypatch.chdir(tmp_path)
    row = {"audio": {"bytes": wave(tmp_path), "path": "a.flac"}, "text": "GOOD DAY", "id": "1-2-0003"}
    publish(server, "openslr/librispeech_asr", {"clean/test-0.parquet": parquet([row])})
    with pytest.raises(SystemExit) as ended:
        main(["eval", "run", "librispeech", "--model", "scripted", "--data", "hf:", "--out", "run"])
    said = capfd.readouterr().err
    assert ended.value.code == 0 and "licence cc-by-4.0; fetching into" in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["settings"]["data"] == f"hf:openslr/librispeech_asr@{COMMIT}"
    with pytest.raises(SystemExit):
        main(["eval", "list"])
    assert "--data hf:openslr/librispeech_asr" in " ".join(capfd.readouterr().out.split())
