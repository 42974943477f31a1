"""HTML pages."""

from __future__ import annotations

import random
import re
from pathlib import Path

from trafilatura import external

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents import html
from agentaudio.retrieval.documents.html import article
from agentaudio.workers.limits import PAGE
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken

PROSE = "Bells are cast from bronze, and each bell of the carillon has a tone of its own. "
CHARSETS = {"none": None, "latin": "iso-8859-1", "wrong": "utf-7", "unknown": "\x00nothing", "wide": "utf-16"}


def _page(body: str, head: str = "<title>Bells &amp; towers</title>") -> str:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"


class Pages(Target):
    name = "pages"
    refusals = (RetrievalError,)
    memory_mb = PAGE.memory_mb
    cpu_s = 6.0
    dictionary = tuple(
        word.encode()
        for word in (
            "<table>", "</table>", "<tr>", "<td colspan=9999>", "<ul><li>", "</ul>", "<svg>", "<math>", "<template>",
            "<noscript>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "<!DOCTYPE x [<!ENTITY e 'x'>]>",
            "&e;", "&#0;", "&#x110000;", "&#xd800;", "&nbsp", "<meta charset=utf-16>", "<meta charset='x\0y'>", "\0",
            "<base href=//a>", "<a href='http://[::1'>", "<a href='javascript:'>", "<img src='http://a:99999/'>",
            "<script>", "</script>", "<style>", "<p hidden>", "style=' DISPLAY : none'", "<time datetime='9999-99-99'>",
            "<pre>", "<br>", "<h1>", "</h7>", "<article>", "<main>", "xmlns:x='y'", "<x:y>", "<frameset>",
            "<plaintext>",
            '<script type="application/ld+json">{"@type": "Article", "datePublished": "2024-02-30"}</script>',
        )
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        meta = '<meta charset="utf-8"><meta property="article:published_time" content="2024-05-01T10:00:00Z">'
        items = "<ul><li>a<li>b</ul>"
        pages = [
            _page(f"<h1>Bells</h1><p>{PROSE * 3}</p><p>{PROSE * 2}</p>"),
            _page(f"<nav><a href=/>home</a></nav><article><h2>Casting</h2><p>{PROSE * 4}</p>{items}</article>",
                  f"<title>Bells</title>{meta}"),
            _page(f"<table><tr><th>a<th>b<tr><td>{PROSE}<td>2</table><p hidden>secret</p>"),
            _page("<p>short"),
            f"<p>{PROSE}<p>ß and 铜钟 <script>var a = '</p>';</script>{PROSE}",
            _page(f'<p style="display: none">{PROSE}</p><pre>code\n  more</pre><blockquote>{PROSE * 2}</blockquote>',
                  '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "Bells", '
                  '"datePublished": "2024-02-28"}</script>'),
        ]  # fmt: skip
        encoded = [page.encode() for page in pages]
        wide = [page.encode("utf-16") for page in pages[:2]]
        return {charset: encoded + (wide if charset == "wide" else []) for charset in CHARSETS}

    def prepare(self, folder: Path) -> None:
        run_near(html)
        # justext makes a set of the stop words of a hundred languages for each page: half of the time.
        vars(external)["JT_STOPLIST"] = ("the", "of", "and", "a", "are")

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            return mutate.changed(chance, seed, others, self.dictionary)
        # The tree: tags left out, repeated, exchanged.
        text = seed.decode("utf-8", "replace")
        for _ in range(chance.choice((1, 2, 5))):
            tags = [(found.start(), found.end()) for found in re.finditer(r"<[^<>]{1,99}>", text)]
            if not tags:
                break
            (start, end), (other, stop) = chance.choice(tags), chance.choice(tags)
            tag, word = text[start:end], chance.choice(self.dictionary).decode()
            changed = mutate.changed_text(chance, tag)
            new = chance.choice(("", text[other:stop], tag * chance.choice((2, 40)), word, changed))
            text = text[:start] + new + text[end:]
        return text.encode("utf-8", "surrogatepass")

    def read(self, case: Case) -> str:
        url = "https://example.org/bells" if len(case.content) % 2 else None
        found = article(case.content, charset=CHARSETS[case.kind], url=url)
        if not found.text.strip() or not re.fullmatch(r"(\d{4}-\d{2}-\d{2})?", found.date) or "\n" in found.title:
            raise Broken("invalid", repr(found)[:300])
        return "read"
