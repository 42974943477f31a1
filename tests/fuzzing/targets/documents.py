"""Word, PDF, Markdown and text files, split into passages."""

from __future__ import annotations

import io
import random
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from support import bombs

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents import files
from agentaudio.retrieval.documents.corpus import Corpus, FileState
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.text.splitting import split
from agentaudio.workers.limits import DOCUMENT
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken

PROSE = "Bells are cast from bronze. Each bell of the carillon has its own tone.\n"
CELL = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
HEADING = '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Bells</w:t></w:r></w:p>'


def _packed(parts: Mapping[str, bytes]) -> bytes:
    """An archive of these parts, the same at any time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _without_time(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return _packed({name: archive.read(name) for name in archive.namelist()})


def _words() -> list[bytes]:
    paragraph = f"<w:p><w:r><w:t>{PROSE}</w:t></w:r></w:p>"
    table = f"<w:tbl><w:tr>{CELL.format('a')}{CELL.format('b')}</w:tr></w:tbl>"
    plain = bombs.word(paragraph + table + paragraph)
    # The library's own template has styles, and all parts that Word writes.
    import docx

    made = docx.Document()
    made.add_heading("Bells", 1)
    made.add_paragraph(PROSE)
    made.add_table(2, 2).cell(0, 0).text = "bronze"
    made.core_properties.title = "Bells"
    full = io.BytesIO()
    made.save(full)
    return [_without_time(one) for one in (plain, bombs.word(HEADING + paragraph), full.getvalue())]


def _papers() -> list[bytes]:
    text = b"BT /F1 12 Tf 72 720 Td (Bells are cast from bron-) Tj 0 -14 Td (ze.) Tj [(Each) -250 (bell)] TJ ET"
    mapped = (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
        b"2 beginbfchar <41> <0042> <42> <D83DDE00> endbfchar 1 beginbfrange <61> <7A> <0061> endbfrange endcmap end"
    )
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 7 0 R "
        b"/DescendantFonts [8 0 R] >>"
    )
    form = bombs.stream(text, more=bombs.FORM % bombs.FONT)
    named = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R 9 0 R] /Count 2 >>",
        3: bombs.PAGE % bombs.FONT,
        4: bombs.stream(text),
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /A /Encoding << /Differences [65 /B /C] >> /Widths [1 2] >>",
        9: bombs.PAGE % bombs.FONT,
    }
    return [
        bombs.one_page(bombs.stream(text)),
        bombs.one_page(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text)),
        bombs.one_page(bombs.stream(b"BT /F1 9 Tf (AB) Tj <4142> Tj ET"), b"/Font << /F1 6 0 R >>", n6=font,
                       n7=bombs.stream(mapped), n8=b"<< /Type /Font /Subtype /CIDFontType2 /W [1 [500]] /DW 9 >>"),
        bombs.one_page(bombs.stream(b"/X Do"), b"/XObject << /X 10 0 R >>", n10=form),
        bombs.pdf(named).replace(b"/Root", b"/Info << /Title (Bells) /CreationDate (D:2024) >> /Root"),
    ]  # fmt: skip


class Documents(Target):
    name = "documents"
    refusals = (RetrievalError,)
    memory_mb = DOCUMENT.memory_mb
    cpu_s = 12.0
    dictionary = (
        b"obj", b"endobj", b"stream\n", b"endstream", b"xref", b"trailer", b"startxref", b"/Kids", b"/Parent",
        b"/Count", b"/Type", b"/Page", b"/Pages", b"/Length", b"/Filter", b"/FlateDecode", b"/ASCIIHexDecode",
        b"/ASCII85Decode", b"/LZWDecode", b"/RunLengthDecode", b"/DCTDecode", b"/Crypt", b"/DecodeParms",
        b"<< /Predictor 12 /Columns 0 >>", b"/ObjStm", b"/XRef", b"/W [1 2 1]", b"/Index [0 99999999]", b"/Encrypt",
        b"/Prev", b"1 0 R", b"2 0 R", b"3 0 R", b"4 0 R", b"0 0 R", b"99999 0 R", b"<<", b">>", b"[", b"]", b"(", b")",
        b"-1", b"99999999999", b"null", b"/ToUnicode", b"beginbfrange <00> <FFFFFFFF> <00>", b"Tj", b"TJ", b"Do", b"Tf",
        b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xef\xbb\xbf", b"\r\n", b"# ", b"```", b"\xff\xfe", b"\x1b[2J",
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        markdown = (
            f"# Bells\n\n{PROSE}\n\n## Casting\n\n- one\n- two\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
        )
        texts = [markdown, PROSE * 40, "\ufeff" + PROSE, "a" * 3_000, "铜钟。由青铜铸成！" * 60, "x\n\n" * 200]
        encoded = [text.encode() for text in texts]
        return {".docx": _words(), ".pdf": _papers(), ".md": encoded, ".txt": [*encoded, PROSE.encode("utf-16")]}

    def prepare(self, folder: Path) -> None:
        run_near(files)
        self._folder = folder
        for suffix in (".docx", ".pdf", ".md", ".txt"):
            (folder / f"a{suffix}").write_bytes(b"")

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == ".docx" and chance.random() < 0.75:
            return self._in_the_archive(chance, seed)
        if kind == ".pdf" and chance.random() < 0.4:
            return self._in_a_stream(chance, seed)
        return mutate.changed(chance, seed, others, self.dictionary)

    def _in_the_archive(self, chance: random.Random, seed: bytes) -> bytes:
        """A Word file with a part changed, and packed again."""
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        read = [
            name for name in parts if name.endswith((".rels", "document.xml", "core.xml", "Types].xml", "styles.xml"))
        ]
        name = chance.choice(read)
        text = parts[name].decode("utf-8", "replace")
        tags = re.findall(r"<[^>]{1,200}>", text)
        if tags and chance.random() < 0.5:
            tag = chance.choice(tags)
            text = text.replace(tag, chance.choice(("", tag * 2, chance.choice(tags), "<w:p>", "<w:tbl>", "&e;",
                                                    mutate.changed_text(chance, tag))), 1)  # fmt: skip
            parts[name] = text.encode("utf-8", "replace")
        else:
            parts[name] = mutate.changed(chance, parts[name], list(parts.values()))
        if chance.random() < 0.1:
            del parts[chance.choice(list(parts))]
        return _packed(parts)

    def _in_a_stream(self, chance: random.Random, seed: bytes) -> bytes:
        """A PDF with a stream changed before it is compressed again."""
        streams = list(re.finditer(rb"/FlateDecode.*?stream\n(.*?)\nendstream", seed, re.DOTALL))
        if not streams:
            return mutate.changed(chance, seed, (), self.dictionary)
        found = chance.choice(streams)
        content = mutate.changed(chance, zlib.decompress(found[1]), (), self.dictionary)
        changed = seed[: found.start(1)] + zlib.compress(content, 1) + seed[found.end(1) :]
        return mutate.changed(chance, changed, (), self.dictionary) if chance.random() < 0.3 else changed

    def read(self, case: Case) -> str:
        path = self._folder / f"a{case.kind}"
        path.write_bytes(case.content)
        passages = [one for made in read_documents(path, path.name, within=self._folder) for one in split(made)]
        for passage in passages:
            if not isinstance(passage.text, str) or not isinstance(passage.title, str) or passage.position < 0:
                raise Broken("invalid", repr(passage)[:300])
        if passages and zlib.crc32(case.content) % 16 == 0:
            corpus = Corpus()
            corpus.put(FileState("a", 0, 0, ""), passages)
            if len(corpus.passages()) != len(passages):
                raise Broken("invalid", "the corpus lost a passage")
        return "read" if passages else "empty"
