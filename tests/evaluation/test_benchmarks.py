"""Every benchmark reads a folder in the layout in which it is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.benchmarks import librispeech, sound

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import find_benchmark, installed_benchmarks
from agentaudio.evaluation.data import digest, load_items
from agentaudio.evaluation.item import Item

ROOT = Path(__file__).parents[2]


def written(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def objects(path: Path, *rows: Any) -> Path:
    return written(path, *(json.dumps(row, ensure_ascii=False) for row in rows))


def fleurs(code: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        row = "7\tone.wav\tRaw, Words.\traw words\tr a w\t16000\tMALE"
        written(folder / code / "test.tsv", row)
        sound(folder / code / "audio/test/one.wav")

    return make


def common_voice(folder: Path) -> None:
    written(folder / "test.tsv", "client_id\tpath\tsentence\tup_votes", "c\tone.wav\tA sentence.\t2")
    sound(folder / "clips/one.wav")


def aishell_1(folder: Path) -> None:
    written(folder / "data_aishell/transcript/aishell_transcript_v0.8.txt", "BAC1 甚至 出现", "BAC9 训练")
    sound(folder / "data_aishell/wav/test/S1/BAC1.wav")


def aishell_2(folder: Path) -> None:
    for channel in ("iOS", "Mic"):
        written(folder / channel / "test/wav.scp", "IT1\twav/IT1.wav")
        written(folder / channel / "test/trans.txt", "IT1\t你好 世界")
        sound(folder / channel / "test/wav/IT1.wav")


def wenetspeech(folder: Path) -> None:
    for name in ("test_net", "test_meeting"):
        written(folder / name / "wav.scp", f"{name}_1 {name}/audio/1.wav")
        written(folder / name / "text", f"{name}_1 你好")
        sound(folder / name / "audio/1.wav")


def kespeech(folder: Path) -> None:
    written(folder / "Tasks/ASR/test/wav.scp", "a Audio/1/phase1/a.wav", "b Audio/1/phase2/b.wav")
    written(folder / "Tasks/ASR/test/text", "a 你好", "b 再见")
    sound(folder / "Audio/1/phase1/a.wav")


def mmau(folder: Path) -> None:
    row = {
        "id": "q1", "audio_id": "./test-mini-audios/q1.wav", "question": "What is heard?", "choices": ["a dog", "rain"],
        "answer": "rain", "task": "sound", "difficulty": "easy",
    }  # fmt: skip
    written(folder / "mmau-test-mini.json", json.dumps([row]))
    sound(folder / "test-mini-audios/q1.wav")


def covost2(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        header = "path\tsentence\ttranslation\tclient_id"
        written(folder / f"covost_v2.{name}.test.tsv", header, "one.wav\t你好。\tHello.\tc")
        sound(folder / "clips/one.wav")

    return make


def cvss_to_english(folder: Path) -> None:
    written(folder / "test.tsv", "one.wav\thello there")
    sound(folder / "clips/one.wav")


def cvss_to_chinese(folder: Path) -> None:
    covost2("zh-CN_en")(folder)
    sound(folder / "test/one.wav.wav")


def paralinguistic(folder: Path) -> None:
    rows = [{"audio": f"audio/{name}.wav", "task_name": name, "task_answer": answer, "subset": "x"}
            for name, answer in (("gender", "female"), ("voice_style", "calm"))]  # fmt: skip
    objects(folder / "metadata.jsonl", *rows)
    for row in rows:
        sound(folder / row["audio"])


def toolcall(folder: Path) -> None:
    for name in ("timbre", "web_search", "get_weather", "get_date_time"):
        for kind in ("positive", "negative"):
            wav = f"wav/{name}_{kind}.wav"
            sound(folder / wav)
            call = '<tool_call>function  \nget_weather  \n{"location": "Beijing"}</tool_call>'
            objects(
                folder / f"{name}_{kind}.jsonl",
                [
                    {"from": "Human", "text": "你好", "value": {"type": "wav", "value": wav}},
                    {"from": "Assistant", "text": "", "value": call},
                    {"from": "Input", "text": "", "value": "晴"},
                    {"from": "Assistant", "text": "晴天", "value": {"type": "wav", "value": wav}},
                    {"from": "Human", "text": "那上海呢", "value": {"type": "wav", "value": wav}},
                    {"from": "Assistant", "text": "", "value": call},
                ],
            )


def big_bench_audio(folder: Path) -> None:
    objects(folder / "data/metadata.jsonl", {"id": 3, "category": "navigate", "official_answer": "Yes"})
    sound(folder / "data/question_3.wav").rename(folder / "data/question_3.mp3")


def uro_bench(folder: Path) -> None:
    one = {"id": 1, "source_wav": "wav/1.wav", "source_text": "Say hello", "target_text": "hello"}
    rounds = {
        "id": 2,
        "num_round": 2,
        "dialogue": [{**one, "target_text": ["a", "b"]}, {**one, "source_text": "Again"}],
    }
    objects(folder / "basic/Repeat/test.jsonl", one)
    sound(folder / "basic/Repeat/wav/1.wav")
    objects(folder / "pro/MtBenchEval-en/test.jsonl", rounds)
    sound(folder / "pro/MtBenchEval-en/wav/1.wav")


def voicebench(folder: Path) -> None:
    objects(folder / "mmsu/metadata.jsonl", {"audio": "0.wav", "prompt": "Which?", "reference": "B"})
    sound(folder / "mmsu/0.wav")


def seed_tts(language: str, file: str = "meta.lst") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        written(folder / language / file, "name1|words of the clip|prompt-wavs/1.wav|words to say|wavs/1.wav")
        sound(folder / language / "prompt-wavs/1.wav")

    return make


# For each benchmark: its folder, then the id, the reference and the group of the items.
LAYOUTS: dict[str, tuple[Callable[[Path], Any], list[tuple[str, str, str]]]] = {
    "aishell-1": (aishell_1, [("BAC1", "甚至出现", "")]),
    "aishell-2": (aishell_2, [("Mic/IT1", "你好世界", "Mic"), ("iOS/IT1", "你好世界", "iOS")]),
    "big-bench-audio": (big_bench_audio, [("3", "Yes", "navigate")]),
    "common-voice-en": (common_voice, [("one", "A sentence.", "")]),
    "common-voice-yue": (common_voice, [("one", "A sentence.", "")]),
    "covost2-en-zh": (covost2("en_zh-CN"), [("one", "Hello.", "")]),
    "covost2-zh-en": (covost2("zh-CN_en"), [("one", "Hello.", "")]),
    "cvss-en-zh": (cvss_to_chinese, [("one", "你好。", "")]),
    "cvss-zh-en": (cvss_to_english, [("one", "hello there", "")]),
    "fleurs-ar": (fleurs("ar_eg"), [("one", "raw words", "")]),
    "fleurs-en": (fleurs("en_us"), [("one", "raw words", "")]),
    "fleurs-ja": (fleurs("ja_jp"), [("one", "raw words", "")]),
    "fleurs-zh": (fleurs("cmn_hans_cn"), [("one", "raw words", "")]),
    "kespeech": (kespeech, [("a", "你好", "")]),
    "librispeech": (lambda folder: librispeech(folder, {"1-2-0": "A B"}), [("1-2-0", "A B", "test-clean")]),
    "mmau": (mmau, [("q1", "rain", "sound")]),
    "seed-tts-eval-en": (seed_tts("en"), [("name1", "words to say", "")]),
    "seed-tts-eval-zh": (seed_tts("zh"), [("name1", "words to say", "")]),
    "seed-tts-eval-zh-hard": (seed_tts("zh", "hardcase.lst"), [("name1", "words to say", "")]),
    "stepeval-paralinguistic": (
        paralinguistic,
        [("gender/0-gender", "female", "gender"), ("voice_styles/1-voice_style", "calm", "voice_styles")],
    ),
    "stepeval-toolcall": (
        toolcall,
        [(f"{file}_{kind}/0", "", tool) for file, tool in (("timbre", "timbre_rag"), ("web_search", "web_search"),
         ("get_weather", "get_weather"), ("get_date_time", "get_date_time")) for kind in ("positive", "negative")],
    ),
    "uro-bench": (uro_bench, [("Repeat/1", "hello", "Repeat"), ("MtBenchEval-en/2", "a / b\nhello", "MtBenchEval-en")]),
    "voicebench": (voicebench, [("mmsu/0", "B", "mmsu")]),
    "wenetspeech": (wenetspeech, [("test_meeting_1", "你好", "test_meeting"), ("test_net_1", "你好", "test_net")]),
}  # fmt: skip


def test_every_installed_benchmark_is_tried_here() -> None:
    assert set(installed_benchmarks()) == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_published_layout_is_read(name: str, tmp_path: Path) -> None:
    make, expected = LAYOUTS[name]
    make(tmp_path)
    benchmark = find_benchmark(name)
    items = load_items(benchmark, tmp_path)
    assert [(item.id, item.reference, item.group) for item in items] == expected
    assert all(item.audio is not None and item.audio.is_file() for item in items)
    assert benchmark.home and benchmark.licence and benchmark.size and benchmark.scorer.measures


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_missing_clip_is_named(name: str, tmp_path: Path) -> None:
    LAYOUTS[name][0](tmp_path)
    benchmark = find_benchmark(name)
    audio = load_items(benchmark, tmp_path)[-1].audio
    assert audio is not None
    audio.unlink()
    with pytest.raises(EvaluationError, match=f"lacks 1 of the files.*{audio.name}|no items|has no ") as raised:
        load_items(benchmark, tmp_path)
    assert benchmark.home.split()[0] in str(raised.value)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_is_refused_with_where_the_data_comes_from(name: str, tmp_path: Path) -> None:
    benchmark = find_benchmark(name)
    with pytest.raises(EvaluationError, match="is not laid out as") as raised:
        load_items(benchmark, tmp_path)
    assert benchmark.home in str(raised.value)


def test_transcripts_without_a_word_are_refused(tmp_path: Path) -> None:
    data = librispeech(tmp_path, {"1-2-0000": "", "1-2-0001": " "})
    with pytest.raises(EvaluationError, match="no words to compare transcripts with: all 2 references are empty"):
        load_items(find_benchmark("librispeech"), data)
    assert len(load_items(find_benchmark("librispeech"), librispeech(data, {"1-2-0002": "WORD"}))) == 3


def test_benchmarks_are_files_of_less_than_80_lines() -> None:
    folder = ROOT / "agentaudio/evaluation/benchmarks"
    long = [file.name for file in folder.glob("*.py") if len(file.read_text().splitlines()) >= 80]
    assert long == []


def test_data_that_names_a_file_outside_of_its_folder_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "data/test.tsv", "path\tsentence", "../../secret.wav\tA sentence.")
    (tmp_path / "data/clips").mkdir()
    sound(tmp_path / "secret.wav")
    with pytest.raises(EvaluationError, match="names the file '../../secret.wav', which is outside of it"):
        load_items(find_benchmark("common-voice-en"), tmp_path / "data")


def test_an_unknown_benchmark_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(EvaluationError, match="no benchmark 'librispech' is installed; did you mean 'librispeech'"):
        find_benchmark("librispech")


def test_the_digest_changes_with_the_words_the_clips_and_the_details(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    digests = {
        digest([Item("1", path, "words")], tmp_path),
        digest([Item("1", path, "other words")], tmp_path),
        digest([Item("1", path, "words", details={"choices": ["a"]})], tmp_path),
    }
    sound(path, 7)
    digests.add(digest([Item("1", path, "words")], tmp_path))
    changed = bytearray(path.read_bytes())
    for place in (-1, 60, len(changed) // 2):  # one sample, with the size as it was
        changed[place] ^= 1
        path.write_bytes(changed)
        digests.add(digest([Item("1", path, "words")], tmp_path))
    assert len(digests) == 7


@pytest.mark.parametrize(
    ("line", "message"),
    [("{not json", "line 1 of .* is not JSON"), ("[1]", "is not a JSON object"), ("{}", "has no field 'task_name'")],
)
def test_a_half_written_list_of_items_is_one_clear_error(line: str, message: str, tmp_path: Path) -> None:
    written(tmp_path / "metadata.jsonl", line)
    with pytest.raises(EvaluationError, match=message):
        load_items(find_benchmark("stepeval-paralinguistic"), tmp_path)


def changed(value: Any) -> Iterator[Any]:
    """The value with each of its fields replaced by something else, or left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            rest = {key: one for key, one in value.items() if key != name}
            yield rest
            for other in (*changed(inner), None, 3, True, "x", [], [3], {}, {"x": 3}, "../../out"):
                yield {**rest, name: other}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            for other in (*changed(inner), None, 3, "x", []):
                yield [*value[:place], other, *value[place + 1 :]]


@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_of_any_other_form_are_items_or_one_clear_error(name: str, tmp_path: Path) -> None:
    LAYOUTS[name][0](tmp_path)
    benchmark, tried = find_benchmark(name), 0
    for path in sorted(tmp_path.rglob("*.json*"))[:2]:
        content = path.read_text("utf-8")
        first, *others = content.splitlines()
        for row in changed(json.loads(first)):
            path.write_text("\n".join([json.dumps(row), *others]), encoding="utf-8")
            tried += 1
            try:
                assert load_items(benchmark, tmp_path)
            except EvaluationError as error:
                assert str(error)
        path.write_text(content, encoding="utf-8")
    assert tried or not list(tmp_path.rglob("*.json*"))
