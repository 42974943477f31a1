"""Text without Markdown, HTML, addresses and emoji: whole, and while it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

LONGEST_HELD = 300
"""Characters after which an emphasis, link or tag that does not end is taken as it stands."""

_MARKER = re.compile(r"\s{0,40}(?:(?:#{1,6}|[-*+•▪◦]|\d{1,3}[.)]|\[[ xX]\])\s+|>\s?){0,9}")
_FENCE = re.compile(r"\s{0,40}(```|~~~)")
_RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}$|\s*=+\s*$")
_DELIMITERS = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_DEFINITION = re.compile(r"\s{0,3}\[[^\]]{1,100}\]:\s")
_WHOLE_LINE = re.compile(r"\s*(?:```|~~~|\||\[|[-*_=]*\s*$)")
"""Lines that can be understood only when they are complete."""

_LINK = re.compile(r"!?\[([^\[\]]{0,300})\](?:\([^()]{0,400}(?:\([^()]{0,100}\)[^()]{0,100})?\)|\[[^\]]{0,60}\])")
_NOTE = re.compile(r"\[\^?\d{1,3}\]|【[^】]{0,40}†[^】]{0,40}】")
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]{0,250}>")
_AUTOLINK = re.compile(r"<(?:mailto:)?(https?://[^\s<>]{1,400}|[^\s<>@]{1,100}@[^\s<>]{1,100})>")
_URL = re.compile(
    r"(?<![A-Za-z0-9])(?:https?|ftp)://(?:[^\s/@]{1,100}@)?(?:www\.)?([^\s/?#()<>\"'，。、！？；：）]{1,200})([^\s<>\"，。！？；）]*)",
    re.I,
)
_WWW = re.compile(r"(?<![A-Za-z0-9])www\.(?=[\w-]+\.\w)", re.I)
_CODE = re.compile(r"(`{1,3})(?=\S)(.{1,300}?)\1")
_STRONG = re.compile(
    r"(\*{2,3}|(?<![A-Za-z0-9*])\*|(?<![^\W_])_{1,3}|~~|(?<!=)==)(?=[^\s*_=])(.{1,300}?)(?<=\S)\1(?![A-Za-z0-9])"
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~>$])")
_HIDDEN = 0xE000
_WAS_ESCAPED = re.compile("[\ue021-\ue07e]")
"""Escaped characters, among those for private use, while the marks around them are removed."""
_EMOJI = re.compile(
    "[\u2190-\u21ff](?=\ufe0f)|[\u2300-\u23ff\u2600-\u26ff\u2700-\u27bf\u2b05-\u2b55]\ufe0f?|[\ufe0e\ufe0f\u200d\u20e3]"
    "|[\U0001f000-\U0001faff\U000e0020-\U000e007f]"
)
"""Pictures, their variations and joiners, flags, and the frames of keycaps."""
_OPENING = re.compile(r"(?<![A-Za-z0-9*_])(\*{1,3}|_{1,3}|~~)(?=[^\s*_])")


def without_markup(text: str) -> str:
    """The text without Markdown, tags, emoji and what addresses hold beside the host, in any language.

    Blocks of code and tables' lines are left out, the cells of a table are joined by commas, and blocks end in an
    empty line. Of links the words are kept.
    """
    stream = MarkupStream()
    return stream.push(text) + stream.finish()


class MarkupStream:
    """`without_markup` of text that arrives in pieces; wherever it is cut, the result is the same.

    A word is given out when it is complete and no emphasis, link or tag is open around it; the lines of tables and
    code are held until they are complete.
    """

    def __init__(self) -> None:
        self._line = ""  # what is left of the line, as it was written
        self._begun = False  # whether the beginning of the line was given out
        self._fence = ""  # the mark that ends the block of code
        self._gap = ""  # what stands before the next words
        self._block = False  # whether the line before was a block of its own

    def push(self, text: str) -> str:
        """Add a piece of text and return the words that it completes."""
        found = []
        *lines, rest = text.replace("\r\n", "\n").split("\n")
        for line in lines:
            self._line += line
            found.append(self._finished())
        self._line += rest
        found.append(self._partial())
        return "".join(found)

    def finish(self) -> str:
        """The remaining words of a text that is complete; the next `push` starts another text."""
        found = self._finished()
        self._fence, self._gap, self._block = "", "", False
        return found

    def _finished(self) -> str:
        """The rest of a line that is complete."""
        line, self._line = self._line, ""
        begun, self._begun = self._begun, False
        if not begun:
            if fence := _FENCE.match(line):
                self._fence = "" if self._fence == fence[1] else self._fence or fence[1]
                return self._end(block=True)
            if self._fence or _DEFINITION.match(line) or _RULE.match(line) or ("|" in line and _DELIMITERS.match(line)):
                return self._end(block=True)
            if line.lstrip().startswith("|"):
                cells = [_inline(cell) for cell in line.strip().strip("|").split("|")]
                return self._said(", ".join(filter(None, map(str.strip, cells))), block=True) + self._end(block=True)
            marker = _marker(line)
            said = self._said("".join(_cleaned(line[len(marker) :])), block=bool(marker.strip()))
            return said + self._end(block=bool(marker.strip()) or not line.strip())
        return self._said("".join(_cleaned(line)), block=False) + self._end(block=self._block)

    def _partial(self) -> str:
        """What can be given out of a line of which more may come."""
        if self._fence or not self._line:
            return ""
        marker = ""
        if not self._begun:
            if _WHOLE_LINE.match(self._line):
                return ""
            marker = _marker(self._line)
            if _WHOLE_LINE.match(self._line, len(marker)):
                return ""
        rest = self._line[len(marker) :]
        pieces = list(_segments(rest))
        whole = "".join(pieces[:-1])
        if not whole.strip():
            return ""
        self._line = rest[len(whole) :]
        block = bool(marker.strip()) if not self._begun else self._block
        said = self._said("".join(map(_inline, pieces[:-1])), block=block)
        self._begun, self._block = True, block
        return said

    def _said(self, words: str, *, block: bool) -> str:
        """Words with the gap before them; block: whether they begin a block of their own."""
        words = re.sub(r"\s+", " ", words).lstrip()
        if not words:
            return ""
        gap, self._gap = self._gap, ""
        if block and gap == "\n":
            gap = "\n\n"
        return gap + words

    def _end(self, *, block: bool) -> str:
        """The end of a line."""
        self._gap = "\n\n" if block or self._gap == "\n\n" else "\n"
        self._block = False
        return ""


def _marker(line: str) -> str:
    found = _MARKER.match(line)
    return found.group() if found else ""


def _cleaned(line: str) -> Iterator[str]:
    return map(_inline, _segments(line))


def _segments(line: str) -> Iterator[str]:
    """The line in parts that end behind a space and hold each emphasis, link, code and tag as a whole."""
    start = 0
    for space in re.finditer(r"\s+", line):
        if space.start() > start and not _is_open(line[start : space.start()]):
            yield line[start : space.end()]
            start = space.end()
    yield line[start:]


def _is_open(part: str) -> bool:
    """Whether something begins in a part and does not end in it."""
    if len(part) > LONGEST_HELD:
        return False
    if part.isalnum():
        return False
    if part.count("`") % 2 or part.count("[") > part.count("]") or part.rfind("<") > part.rfind(">"):
        at = part.rfind("<")
        is_tag = at >= 0 and part[at + 1 : at + 2].isalpha() or part[at + 1 : at + 2] in ("/", "!")
        if part.count("`") % 2 or part.count("[") > part.count("]") or is_tag:
            return True
    link = part.rfind("](")
    if link >= 0 and part.count("(", link) > part.count(")", link):
        return True
    for mark in _OPENING.finditer(part):
        if part.find(mark[1], mark.end()) < 0 and part.count(mark[1]) % 2:
            return True
    return False


def _inline(part: str) -> str:
    """A part of a line without what marks it up."""
    if not part or part.isspace():
        return part
    part = _ESCAPED.sub(lambda match: chr(_HIDDEN + ord(match[1])), part)
    for pattern, kept in ((_CODE, r"\2"), (_LINK, r"\1"), (_NOTE, ""), (_AUTOLINK, r"\1"), (_TAG, " ")):
        part = pattern.sub(kept, part)
    for _ in range(3):
        part, changed = _STRONG.subn(r"\2", part)
        if not changed:
            break
    part = _URL.sub(_host, part)
    part = _WWW.sub("", part)
    part = _WAS_ESCAPED.sub(lambda match: chr(ord(match[0]) - _HIDDEN), unescape(part))
    return _EMOJI.sub("", part)


def _host(match: re.Match[str]) -> str:
    """The host of a URL, and the punctuation behind it that belongs to the sentence."""
    address = match[1] + match[2]
    end = re.search(r"[.,;:!?)]*\Z", address)
    return re.split(r"[:.,;!?]*$", match[1], maxsplit=1)[0] + (end.group() if end else "")
