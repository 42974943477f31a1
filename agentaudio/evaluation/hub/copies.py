"""The copies of the benchmarks here that are on the hub. Their columns and files are those that other kits read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentaudio.evaluation.hub.copy import HubCopy, Layout, Row, column

_WORDS = ("text", "gt", "transcript", "transcription", "sentence")


def _line(*parts: str) -> str:
    """A line of a table whose values are between tabs."""
    return "\t".join(" ".join(part.split()) for part in parts)


def _base(row: Row) -> str:
    return str(row["sound"]).rpartition("/")[2]


def _has(word: str, yes: str, no: str) -> Callable[[str], str]:
    return lambda path: yes if word in path.lower() else no


def _clips(table: str, column_: str, *names: str) -> Layout:
    """A table with a clip and a text a line, beside clips/."""
    return Layout(
        "clips/{number}{suffix}",
        {table: lambda row: _line(_base(row), column(row, *names))},
        headers={table: _line("path", column_)},
    )


def _kept(row: Row, *names: str) -> dict[str, Any]:
    """Some columns of a row as they are, where it has them."""
    return {name: row[name] for name in names if row.get(name) is not None}


LIBRISPEECH = HubCopy(
    "openslr/librispeech_asr",
    ("*clean*test*.parquet", "*test*clean*.parquet", "*other*test*.parquet", "*test*other*.parquet"),
    layout=Layout(
        "{part}/hub/0/{name}.flac",
        {"{part}/hub/0/hub-0.trans.txt": lambda row: f"{column(row, 'id')} {' '.join(column(row, *_WORDS).split())}"},
        part=_has("clean", "test-clean", "test-other"),
        name=lambda row: column(row, "id"),
    ),
)


def fleurs(code: str) -> HubCopy:
    """FLEURS of one language."""
    return HubCopy("google/fleurs", (f"data/{code}/test.tsv", f"data/{code}/audio/test.tar.gz"), folder="data")


def common_voice(code: str) -> HubCopy:
    """Common Voice 15 of one language."""
    files = (f"{code}/test*.parquet", f"*_{code}/test*.parquet", f"*/{code}_test*.parquet", f"*/{code}-*.parquet")
    return HubCopy("lmms-lab-audio/common_voice_15", files, layout=_clips("test.tsv", "sentence", "sentence", *_WORDS))


AISHELL_1 = HubCopy(  # the archives of the 20 speakers of the test set
    "AISHELL/AISHELL-1",
    ("data_aishell/transcript/*", "data_aishell/wav/S076?.tar.gz", "data_aishell/wav/S0770.tar.gz",
     "data_aishell/wav/S09??.tar.gz"),
)  # fmt: skip
WENETSPEECH = HubCopy(
    "lmms-lab-audio/WenetSpeech",
    ("*test_meeting*.parquet", "*test_net*.parquet"),
    layout=Layout(
        "{part}/sound/{number}{suffix}",
        {
            "{part}/wav.scp": lambda row: f"{row['part']}-{row['number']} {row['sound']}",
            "{part}/text": lambda row: f"{row['part']}-{row['number']} {' '.join(column(row, *_WORDS).split())}",
        },
        part=_has("meeting", "test_meeting", "test_net"),
    ),
)
MMAU = HubCopy(
    "TwinkStart/MMAU",
    ("*v05.15.25*.parquet",),
    layout=Layout(
        "audio/{number}{suffix}",
        {
            "mmau-test-mini.json": lambda row: {
                "id": str(row.get("id", row["number"])),
                "audio_id": row["sound"],
                "question": column(row, "question"),
                "answer": column(row, "answer"),
                "task": column(row, "task"),
                **_kept(row, "choices", "difficulty"),
            }
        },
    ),
)
COVOST2_TO_ENGLISH = HubCopy(
    "lmms-lab-audio/covost2",
    ("*zh_en*/test*.parquet", "*zh_en*test*.parquet"),
    layout=_clips("covost_v2.zh-CN_en.test.tsv", "translation", "gt", "translation"),
)
COVOST2_TO_CHINESE = HubCopy(
    "lmms-lab-audio/covost2_en-zh",
    ("*test*.parquet",),
    layout=_clips("covost_v2.en_zh-CN.test.tsv", "translation", "translation", "gt"),
)
PARALINGUISTIC = HubCopy(
    "lmms-lab-audio/StepEval-Audio-Paralinguistic",
    ("*.parquet",),
    layout=Layout(
        "audio/{part}-{number}{suffix}",
        {
            "metadata.jsonl": lambda row: {
                "audio": row["sound"],
                "task_name": column(row, "task_name"),
                "task_answer": column(row, "task_answer"),
            }
        },
        part=lambda path: path.rpartition("/")[2].partition("-")[0],
    ),
)
TOOLCALL = HubCopy("stepfun-ai/StepEval-Audio-Toolcall", ("*_positive.jsonl", "*_negative.jsonl", "wav.tar"))
URO_BENCH = HubCopy("Honggao/URO-Bench", ("URO-Bench-data.zip",), folder="URO-Bench-data")
BIG_BENCH_AUDIO = HubCopy("ArtificialAnalysis/big_bench_audio", ("*metadata.jsonl", "*.mp3"))
VOICEBENCH = HubCopy(
    "hlt-lab/voicebench",
    (*(f"{name}/test*.parquet" for name in ("alpacaeval_full", "commoneval", "wildvoice", "openbookqa", "bbh", "ifeval",
                                             "advbench")),
     "mmsu/*.parquet", "sd-qa/usa*.parquet"),
    layout=Layout(
        "{part}/audio/{number}{suffix}",
        {
            "{part}/metadata.jsonl": lambda row: {
                "audio": str(row["sound"]).partition("/")[2],
                **_kept(row, "prompt", "reference", "instruction_id_list", "kwargs"),
            }
        },
        part=lambda path: path.partition("/")[0],
    ),
)  # fmt: skip
