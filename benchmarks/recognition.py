"""Recognisers compared in one run: word errors, false words in noise, confidence, speed and memory.

    python benchmarks/recognition.py [NAME ...] [--set dev] [--limit 20] [--real FOLDER] [--json figures.json]

NAME is a recogniser as `load_recogniser` takes it; by default sphinx, whisper:base and whisper:tiny.en. Each
runs in a process of its own. What is recognised:

open     the recorded requests, without a hint
mixed    the same with a hint: the demo documents and the development requests, as far as they were not
         recorded for this (on --set dev, without the quarter that holds the request)
covered  the in-domain requests, with a hint of the documents and of those requests: an application that
         knows what users will say
closed   as covered, with PocketSphinx limited to the hint (with covered, sphinx only)
demo     the recorded questions of the demo, with a hint of the demo documents
real     the clips of FOLDER/samples.jsonl whose task is "asr", in English
noise    made sounds without speech (tests/support/noises.py); any words are false

Word error rates are in percent of all words, after Whisper's English text normaliser.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from judge import words  # noqa: E402
from support.noises import noises  # noqa: E402

from agentaudio.demo.run import questions_folder  # noqa: E402
from agentaudio.model.parts import Recogniser  # noqa: E402
from agentaudio.model.registry import load_recogniser  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402

NAMES = ("sphinx", "whisper:base", "whisper:tiny.en")
KINDS = ("open", "mixed", "covered", "demo", "real", "noise")
REQUESTS = ROOT / "benchmarks" / "requests"
DOCUMENTS = ROOT / "agentaudio" / "demo" / "documents"
OUT_OF_DOMAIN = ("chat", "out_of_scope")
FOLDS = 4  # the number of domain models that a process of PocketSphinx caches
NOISE_SEED = 100  # sounds that no threshold was chosen on


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound to be recognised. groups: in which it is counted, besides all"""

    audio: Callable[[], Audio]
    said: str
    hint: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def document_sentences() -> list[str]:
    texts = (path.read_text("utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    return [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def clips(kind: str, set_name: str, limit: int | None, real: Path | None) -> list[Clip]:
    """The sounds of one of the kinds above."""
    documents = document_sentences()
    if kind == "noise":
        made = {f"{name} {seed}": sound for seed in (0, 1) for name, sound in noises(NOISE_SEED + seed).items()}
        return [Clip(lambda sound=sound: sound, "", groups=(name,)) for name, sound in made.items()][:limit]  # type: ignore[misc]
    if kind == "demo":
        asked = json.loads((questions_folder() / "questions.json").read_text("utf-8"))
        return [_clip(questions_folder() / one["file"], one["text"], documents) for one in asked][:limit]
    if kind == "real":
        listed = read_lines(real / "samples.jsonl") if real else []
        wanted = [one for one in listed if one.get("task") == "asr" and one.get("lang") == "en"]
        return [_clip(real / one["audio"], one["reference"]) for one in wanted if real][:limit]
    requests, dev = read_lines(REQUESTS / f"{set_name}.jsonl")[:limit], read_lines(REQUESTS / "dev.jsonl")
    in_domain = [one for one in requests if one["kind"] not in OUT_OF_DOMAIN]
    covered = documents + [one["text"] for one in in_domain]

    def hint(number: int) -> list[str]:
        if kind != "mixed":
            return [] if kind == "open" else covered
        return documents + [
            one["text"] for place, one in enumerate(dev) if set_name != "dev" or (place - number) % FOLDS
        ]

    return [
        _clip(
            REQUESTS / "audio" / f"{one['id']}.opus", one["text"], hint(number),
            (one["kind"], one["recorded_by"], "in domain" if one in in_domain else "out of domain"),
        )
        for number, one in enumerate(requests)
        if kind in ("open", "mixed") or one in in_domain
    ]  # fmt: skip


def _clip(path: Path, said: str, hint: Sequence[str] = (), groups: tuple[str, ...] = ()) -> Clip:
    return Clip(lambda: Audio.load(path, sample_rate=16_000), said, tuple(hint), groups)


async def recognise_all(recogniser: Recogniser, kind: str, wanted: Sequence[Clip]) -> dict[str, Any]:
    """Recognise some clips, one after the other, and sum up."""
    for hint in dict.fromkeys(clip.hint for clip in wanted):
        await recogniser.warm_up(hint)  # not timed: an application does it at start-up
    rows: list[dict[str, Any]] = []
    cpu_s = audio_s = 0.0
    for clip in wanted:
        audio = clip.audio()
        cpu_before, before = _cpu_seconds(), time.perf_counter()
        found = await recogniser.recognise(audio, hint=clip.hint)
        wall_s = time.perf_counter() - before
        cpu_s += _cpu_seconds() - cpu_before
        audio_s += audio.duration
        rows.append({"said": clip.said, "heard": found.text, "confidence": found.confidence, "wall_s": wall_s,
                     "groups": clip.groups})  # fmt: skip
    speed = {"cpu_s_per_s": round(cpu_s / audio_s, 3), "wall_s_median": _median(row["wall_s"] for row in rows)}
    if kind == "noise":
        false = {row["groups"][0]: row["heard"] for row in rows if row["heard"]}
        return {"sounds": len(rows), "with_false_words": len(false), "false_words": false, **speed}
    return {"clips": len(rows), **summarise(rows), **speed}


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for group in row["groups"]:
            groups[group].append(row)
    return {
        "wer_percent": word_error_rate(rows),
        "exact_percent": round(100 * sum(words(row["said"]) == words(row["heard"]) for row in rows) / len(rows)),
        "wer_percent_by_group": {name: word_error_rate(group) for name, group in sorted(groups.items())},
        "calibration": calibration(rows),
    }


def word_error_rate(rows: Sequence[dict[str, Any]]) -> float:
    said, heard = [words(row["said"]) for row in rows], [words(row["heard"]) or "-" for row in rows]
    return round(100 * float(jiwer.wer(said, heard)), 1)


def calibration(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """By range of confidence: the mean confidence (`promised`) and the share of words that were right."""
    known = [row for row in rows if row["confidence"] is not None and words(row["heard"])]
    found = []
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 0.95), (0.95, 1.01)):
        some = [row for row in known if low <= row["confidence"] < high]
        if some:
            lengths = [len(words(row["heard"]).split()) for row in some]
            hits = sum(jiwer.process_words(words(row["said"]), words(row["heard"])).hits for row in some)
            promised = sum(row["confidence"] * length for row, length in zip(some, lengths, strict=True))
            found.append({"clips": len(some), "promised": round(promised / sum(lengths), 2),
                          "right": round(hits / sum(lengths), 2)})  # fmt: skip
    return found


def _median(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return round(ordered[len(ordered) // 2], 2)


def _processes() -> Iterator[Path]:
    """This process and its descendants in /proc."""
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        yield Path(f"/proc/{pid}")
        for task in Path(f"/proc/{pid}/task").iterdir():
            waiting += map(int, (task / "children").read_text().split())


def _cpu_seconds() -> float:
    ticks = 0
    for process in _processes():
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_mb() -> int:
    """The sum of the largest memory that each process has had, in MB."""
    peaks = (re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text()) for process in _processes())
    return round(sum(int(peak[1]) for peak in peaks if peak) / 1000)


async def measure(
    name: str, kinds: Sequence[str], set_name: str, limit: int | None, real: Path | None
) -> dict[str, Any]:
    """The figures of one recogniser."""
    bare_mb = _peak_mb()
    recogniser = load_recogniser(name)
    await recogniser.warm_up()
    figures: dict[str, Any] = {"bare_mb": bare_mb, "loaded_mb": _peak_mb()}
    for kind in kinds:
        if wanted := clips(kind, set_name, limit, real):
            figures[kind] = await recognise_all(recogniser, kind, wanted)
            print_table(f"{name} {kind}", figures[kind])
    figures["peak_mb"] = _peak_mb()
    await recogniser.aclose()
    if name == "sphinx" and "covered" in kinds:
        closed = load_recogniser("sphinx", domain_weight=1.0)
        figures["closed"] = await recognise_all(closed, "closed", clips("closed", set_name, limit, real))
        print_table(f"{name} closed", figures["closed"])
        await closed.aclose()
    return figures


def print_table(title: str, result: dict[str, Any]) -> None:
    speed = f"{result['cpu_s_per_s']:.2f} CPU s per s, median wall {result['wall_s_median']:.2f} s"
    if "sounds" in result:
        print(
            f"{title:24} false words in {result['with_false_words']} of {result['sounds']} sounds  {speed}", flush=True
        )
    else:
        print(f"{title:24} WER {result['wer_percent']:5}  exact {result['exact_percent']:3}%  {speed}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--set", default="test", choices=("dev", "test"))
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="measure only these kinds")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT clips of each kind")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="recordings of people, with a samples.jsonl")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        figures = asyncio.run(measure(options.names[0], options.kinds, options.set, options.limit, options.real))
        options.json.write_text(json.dumps(figures), "utf-8")
        return
    results: dict[str, Any] = {"set": options.set}
    for name in options.names:
        part = Path(f"{options.json or 'recognition'}.part")
        rest = ["--limit", str(options.limit)] if options.limit else []
        rest += ["--real", str(options.real)] if options.real else []
        command = [sys.executable, __file__, name, "--alone", "--set", options.set, "--json", str(part), *rest]
        command += ["--kinds", *options.kinds]
        subprocess.run(command, check=True)
        results[name] = json.loads(part.read_text("utf-8"))
        part.unlink()
        print(f"{name:24} peak memory {results[name]['peak_mb']} MB")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
