"""Small files that take gigabytes or minutes to read, made on the spot."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import soundfile

Bombs = dict[str, Callable[[], bytes]]
"""Functions that make a file, by the kind of bomb."""

WORD_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
WORD_LINKS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="a" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
WORD_SPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def pages() -> Bombs:
    """HTML by the kind of bomb, each below the 2 MB that a page may have."""
    return {
        "attributes": lambda: f"<html><p {' '.join(f'a{n}=1' for n in range(60_000))}>hi</p>".encode(),
        "attributes of a nested link": lambda: (
            f"<div><a {' '.join(f'data-{n}' for n in range(60_000))}>x</a></div>".encode()
        ),
        "nested tags": lambda: b"<div>" * 150_000 + b"x" + b"</div>" * 150_000,
        "nested lists": lambda: b"<ul><li>" * 100_000 + b"x",
        "nested tables": lambda: b"<table><tr><td>" * 40_000 + b"x",
        "formatting that is never closed": lambda: b"<p><b><i><u>" * 50_000,
        "many rows": lambda: b"<table>" + b"<tr><td>a<td>b" * 100_000 + b"</table>",
        "many paragraphs": lambda: b"<p>Bells are cast from bronze." * 60_000,
        "entities": lambda: b"<p>" + b"&amp;" * 390_000,
        "one long word": lambda: b"<p>" + b"x" * 1_900_000,
        "hyphens": lambda: b"<p>" + b"-" * 1_900_000,
        "many comments": lambda: b"<!---->" * 270_000 + b"<p>hi</p>",
        "many links": lambda: b"<a href=x>bell</a> " * 100_000,
    }


def word(body: str, *, before: str = "", **more: bytes) -> bytes:
    """A Word file with a body of XML. more: other members, by name"""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", WORD_TYPES)
        archive.writestr("_rels/.rels", WORD_LINKS)
        archive.writestr(
            "word/document.xml",
            f'<?xml version="1.0"?>{before}<w:document {WORD_SPACE}><w:body>{body}</w:body></w:document>',
        )
        for name, content in more.items():
            archive.writestr(name, content)
    return file.getvalue()


def words() -> Bombs:
    """Word files by the kind of bomb."""
    cell = "<w:tc><w:tcPr><w:gridSpan w:val='{}'/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>"
    laughs = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 10))
    row = "<w:tr>" + "<w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>" * 20 + "</w:tr>"
    return {
        "a cell that spans a billion columns": lambda: word(f"<w:tbl><w:tr>{cell.format(10**9)}</w:tr></w:tbl>"),
        "many wide cells": lambda: word(f"<w:tbl>{f'<w:tr>{cell.format(10**5)}</w:tr>' * 1_000}</w:tbl>"),
        "cells merged over many rows": lambda: word(f"<w:tbl>{row * 20_000}</w:tbl>"),
        "nested tables": lambda: word("<w:tbl><w:tr><w:tc>" * 5_000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 5_000),
        "many empty paragraphs": lambda: word("<w:p/>" * 4_000_000),
        "one long text": lambda: word(f"<w:p><w:r><w:t>{'x' * 100_000_000}</w:t></w:r></w:p>"),
        "entities of entities": lambda: word(
            "<w:p><w:r><w:t>&e9;</w:t></w:r></w:p>", before=f"<!DOCTYPE x [<!ENTITY e0 'ha'>{laughs}]>"
        ),
    }


PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %b >> >>"
FONT = b"/Font << /F1 5 0 R >>"
FORM = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %b >>"


def pdf(objects: dict[int, bytes], root: int = 1) -> bytes:
    """A PDF file of objects, by number."""
    body, places = b"%PDF-1.7\n", {}
    for number, content in objects.items():
        places[number] = len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    size = max(objects) + 1
    table = b"".join(b"%010d 00000 n \n" % places[n] if n in places else b"0000000000 65535 f \n" for n in range(size))
    end = b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, len(body))
    return body + b"xref\n0 %d\n" % size + table + end


def stream(content: bytes, filters: int = 1, more: bytes = b"") -> bytes:
    """A PDF stream, compressed `filters` times."""
    for _ in range(filters):
        content = zlib.compress(content, 9)
    named = b" ".join([b"/FlateDecode"] * filters)
    return b"<< /Length %d /Filter [%b] %b >>\nstream\n%b\nendstream" % (len(content), named, more, content)


def one_page(content: bytes, resources: bytes = FONT, **more: bytes) -> bytes:
    """A PDF of one page. content: object 4, a stream; more: objects by their number with the letter n before it"""
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %b >> >>"
            % resources,
            4: content,
            5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            **{int(name[1:]): value for name, value in more.items()},
        }
    )


def papers() -> Bombs:
    """PDF files by the kind of bomb."""
    text = b"BT /F1 12 Tf 72 720 Td (a) Tj ET "
    forms = {
        f"n{10 + n}": stream(b"/X Do " * 10, more=FORM % (b"/XObject << /X %d 0 R >>" % (11 + n))) for n in range(9)
    }
    forms["n19"] = stream(text, more=FORM % FONT)
    kids = b" ".join([b"3 0 R"] * 4_000)
    loop = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>",
    }
    return {
        "a stream of 200 MB": lambda: one_page(stream(b" " * 200_000_000)),
        "a stream compressed three times": lambda: one_page(stream(b" " * 100_000_000, filters=3)),
        "many operators": lambda: one_page(stream(text * 1_000_000)),
        "nested arrays": lambda: one_page(stream(b"[" * 100_000 + b"]" * 100_000)),
        "nested dictionaries": lambda: one_page(b"<<" * 50_000 + b">>" * 50_000),
        "forms inside forms": lambda: one_page(stream(b"/X Do"), b"/XObject << /X 10 0 R >>", **forms),
        "one page many times": lambda: pdf(
            {
                1: b"<< /Type /Catalog /Pages 2 0 R >>",
                2: b"<< /Type /Pages /Kids [%b] /Count 4000 >>" % kids,
                3: PAGE % FONT,
                4: stream(text * 100_000),
                5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            }
        ),
        "pages that hold themselves": lambda: pdf(loop),
        "quotes": lambda: one_page(stream(b"(" * 1_000_000)),
    }


def silent(seconds: int, rate: int, channels: int, format: str, subtype: str) -> bytes:
    """A compressed file of silence."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, format=format, subtype=subtype) as opened:
        second = np.zeros((rate, channels), np.int16)
        for _ in range(seconds):
            opened.write(second)
    return file.getvalue()


def claiming(frames: int) -> bytes:
    """A FLAC of one second whose header claims `frames`, in the 36 bits of STREAMINFO (RFC 9639, 8.2)."""
    content = bytearray(silent(1, 48_000, 2, "FLAC", "PCM_16"))
    (word,) = struct.unpack_from(">Q", content, 18)
    struct.pack_into(">Q", content, 18, (word & ~(2**36 - 1)) | frames)
    return bytes(content)


def sounds() -> Bombs:
    """Sound files by the kind of bomb."""
    return {
        "FLAC of five minutes at 655,350 Hz": lambda: silent(300, 655_350, 1, "FLAC", "PCM_16"),
        "FLAC of eight channels": lambda: silent(50, 192_000, 8, "FLAC", "PCM_16"),
        "FLAC of eight channels and two hours": lambda: silent(7_200, 8_000, 8, "FLAC", "PCM_16"),
        "FLAC that claims 36 bits of frames": lambda: claiming(2**36 - 1),
        "FLAC that claims an hour": lambda: claiming(3_599 * 48_000),
        "FLAC of unknown length": lambda: claiming(0),
        "Vorbis of two minutes": lambda: silent(120, 48_000, 2, "OGG", "VORBIS"),
        "Opus of two minutes": lambda: silent(120, 48_000, 1, "OGG", "OPUS"),
        "MP3 of ten minutes": lambda: silent(600, 8_000, 1, "MP3", "MPEG_LAYER_III"),
        "WAV of 255 channels": lambda: silent(1, 8_000, 255, "WAV", "PCM_16"),
        "ADPCM of an hour": lambda: silent(3_600, 8_000, 1, "WAV", "IMA_ADPCM"),
        "chained Ogg": lambda: silent(30, 48_000, 2, "OGG", "OPUS") * 40,
    }


def tool_files() -> Bombs:
    """YAML and TOML files by name, each below the 200,000 bytes that a file of tools may have."""
    size = 199_000
    return {
        "dotted.toml": lambda: b"a." * (size // 2) + b"a=1",
        "arrays.toml": lambda: b"a=" + b"[" * 90_000 + b"]" * 90_000,
        "tables.toml": lambda: b"a=" + b"{b=" * 40_000 + b"1" + b"}" * 40_000,
        "integer.toml": lambda: b"a=" + b"9" * size,
        "hexadecimal.toml": lambda: b"a=0x" + b"f" * size,
        "long_keys.toml": lambda: b"\n".join(b"a." * 600 + b"b%d=1" % n for n in range(160)),
        "headers.toml": lambda: b"[[a.b]]\n" * 24_000,
        "brackets.yaml": lambda: b"[" * size,
        "mappings.yaml": lambda: b"{a: " * 40_000,
        "dashes.yaml": lambda: b"- " * 90_000,
        "questions.yaml": lambda: b"? " * 90_000,
        "anchors.yaml": lambda: b"&a " * 60_000,
        "lines.yaml": lambda: b"a: '" + b"\n" * size,
        "keys.yaml": lambda: b"".join(b"a%d: b\n" % n for n in range(17_000)),
    }


def servers() -> Bombs:
    """Code of MCP servers for `raw_mcp.py`, by the kind of bomb."""
    flood = "def flood():\n    while True: {}\nimport threading\nthreading.Thread(target=flood, daemon=True).start()\n"
    call = "tools = [one()]\ndef called(p):\n    {}\n    return {{'content': [{}]}}"
    text = "{'type': 'text', 'text': 'fine'}"
    sound = "{{'type': 'audio', 'mimeType': 'audio/flac', 'data': {!r}}}"

    def sounding(content: bytes, times: int = 1) -> bytes:
        part = sound.format(base64.b64encode(content).decode())
        return call.format("", ", ".join([part] * times)).encode()

    made = {
        "a listing of 100,000 tools": "tools = [one(f't{n}') for n in range(100_000)]",
        "a listing without an end": "listing = lambda p: {'tools': [one()], 'nextCursor': p.get('cursor', '') + '1'}",
        "a listing above 8 MB": "tools = [one(description='x' * 9_000_000)]",
        "a description of 6 MB": "tools = [one(description='x' * 6_000_000)]",
        "a schema of 6 MB": "tools = [one(), one('b', inputSchema={'type': 'object', 'properties': "
        "{f'p{n}': {'type': 'string'} for n in range(200_000)}})]",
        "a schema nested 50,000 deep": "listing = lambda p: {'tools': [one()]}\ndumps = json.dumps\n"
        "json.dumps = lambda m: dumps(m).replace('\"inputSchema\": {', '\"inputSchema\": {' + '\"a\": {' * 50_000 "
        "+ '}' * 50_000 + ', ')",
        "a flood of standard error": flood.format("sys.stderr.write('x' * 65536)") + "tools = [one()]",
        "a line without an end": call.format("while True: sys.stdout.write('x' * 65536)", text),
        "garbage lines": call.format("while True: line('not JSON')", text),
        "a flood of notifications": call.format(
            'while True: line(\'{"jsonrpc": "2.0", "method": "notifications/message", "params": '
            '{"level": "info", "data": "x"}}\')',
            text,
        ),
        "a call that is never answered": call.format("import time; time.sleep(1_000)", text),
        "a text of 7 MB": call.format("", "{'type': 'text', 'text': 'x' * 7_000_000}"),
        "100,000 texts": call.format("", f"*[{text}] * 100_000"),
        "a server that starts 50 processes": "import subprocess\nfor _ in range(50): "
        "subprocess.Popen(['sleep', '100'], start_new_session=True)\ntools = [one()]",
    }
    return {
        **{name: code.encode for name, code in made.items()},
        "a sound of five minutes at 655,350 Hz": lambda: sounding(silent(300, 655_350, 1, "FLAC", "PCM_16")),
        "200 sounds that claim an hour": lambda: sounding(claiming(3_599 * 48_000), 200),
    }
