"""Manifests of recordings: CSV, JSON lines, lists, Kaldi and Parquet. Nothing outside their folder may be opened."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from agentaudio.errors import VoiceError
from agentaudio.voice_library.manifest import read_manifest
from agentaudio.voice_library.manifest_tables import COLUMNS
from agentaudio.voice_library.voice import VoiceCard
from fuzzing import mutate
from fuzzing.target import Case, Target
from fuzzing.watch import Broken, check_line, check_text

NAMES = ("a.wav", "inner/b.flac", "link.wav", "é.wav", unicodedata.normalize("NFD", "é.wav"), "../outside/secret.wav",
         "inner/../a.wav", "linked/secret.wav", "loop", "pipe.wav", "a.wav/", "./a.wav", "/etc/passwd", "missing.wav",
         unicodedata.normalize("NFD", "ü/n.wav"), "~/a.wav", "a.wav\0", "A.WAV")  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {"file": "a.wav", "name": "Ruby", "description": "A cheerful woman.", "language": "en", "tags": "warm; low"},
    {"file": "inner/b.flac", "id": "zed", "gender": "male", "age": "old", "licence": "CC0-1.0", "transcript": "hello"},
    {"file": "é.wav", "consent_basis": "speaker", "consent_holder": "Ann", "consent_scope": "synthesis;demo",
     "consent_until": "2030-01-01", "source_engine": "mic"},
]  # fmt: skip
SECRET = b"RIFF the secret"


class Manifests(Target):
    name = "manifests"
    refusals = (VoiceError,)
    memory_mb = 150
    inside = True
    dictionary = (
        b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\xff", b"\0", b"{", b"}", b"[", b"]", b":",
        b"null", b"NaN", b"1e999", b"9" * 5_000, b"\\ud800", b"file", b"PAR1", b"\x1b[2J", b";", b"'",
        *(name.encode() for name in NAMES),
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows(ROWS)
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
        small = 'file,description\na.wav,calm\né.wav,"two, words"\n'
        names = "\n".join(f"{name},a voice" for name in NAMES if "\0" not in name)
        packed = []
        for rows in (ROWS[:1], [{"file": name, "tags": ["a", "b"], "consent": {"basis": "speaker"}} for name in NAMES]):
            for compression in ("none", "snappy", "zstd"):
                file = io.BytesIO()
                parquet.write_table(pyarrow.Table.from_pylist(rows), file, compression=compression)
                packed.append(file.getvalue())
        return {
            ".csv": [table.getvalue().encode(), small.encode(), b"file\n" + names.encode()],
            ".jsonl": [lines.encode(), json.dumps({"file": "a.wav", "consent": {"basis": "speaker"}}).encode()],
            ".scp": [b"u1 a.wav\nu2 inner/b.flac\n", "\n".join(f"{name[:3]} {name}" for name in NAMES).encode()],
            ".txt": [names.encode(), b"a.wav, calm\n"],
            "rows": [json.dumps(ROWS).encode()],
            ".parquet": packed,
        }

    def prepare(self, folder: Path) -> None:
        self._root = root = folder / "set"
        outside = folder / "outside"
        for made in (root / "inner", root / unicodedata.normalize("NFC", "ü"), outside):
            made.mkdir(parents=True)
        for file in (root / "a.wav", root / "inner" / "b.flac"):
            file.write_bytes(b"a sound")
        (outside / "secret.wav").write_bytes(SECRET)
        for link, place in (
            ("link.wav", "../outside/secret.wav"), ("linked", "../outside"), ("loop", "loop"),
            (unicodedata.normalize("NFC", "é.wav"), "../outside/secret.wav"),
            (unicodedata.normalize("NFC", "ü/n.wav"), "../../outside/secret.wav"),
        ):  # fmt: skip
            (root / link).symlink_to(place)
        os.chdir(root)  # names that are opened relative to a folder count as inside
        os.mkfifo(root / "pipe.wav")
        for suffix in (".csv", ".jsonl", ".scp", ".txt", ".parquet"):
            (root / f"m{suffix}").write_bytes(b"")

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "rows":
            rows = json.loads(seed)
            for _ in range(chance.choice((1, 2, 4))):
                rows = mutate.changed_data(chance, rows, (*COLUMNS, *NAMES))
            if isinstance(rows, list) and rows and isinstance(rows[0], dict):
                rows[0]["file"] = chance.choice((*NAMES, mutate.changed_text(chance, chance.choice(NAMES))))
            return "\n".join(map(json.dumps, rows if isinstance(rows, list) else [rows])).encode()
        return mutate.changed(chance, seed, others, self.dictionary)

    def read(self, case: Case) -> str:
        path = self._root / f"m{'.jsonl' if case.kind == 'rows' else case.kind}"
        path.write_bytes(case.content)
        good = 0
        for number, entry in enumerate(read_manifest(path)):
            if number > 100_000:
                raise Broken("invalid", "more rows than bytes")
            if entry.problem is not None:
                check_line(entry.problem)
                continue
            try:
                with entry.first.open() as file:
                    if SECRET in file.read(1_000):
                        raise Broken("outside", f"reads {entry.file}")
            except OSError:
                continue
            try:
                sound = {"sha256": "0" * 64, "duration_s": 1.0, "id": "a", "name": "A", "description": ""}
                VoiceCard.checked(str(entry.number), {**sound, **entry.fields})
                good += 1
            except VoiceError as error:
                check_text(error)
        return "rows" if good else "problems"
