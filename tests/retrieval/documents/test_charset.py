"""Character sets of pages and of text files: declared, declared wrongly, and not declared."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.charset import decoded, of_file
from agentaudio.retrieval.documents.index import DocumentIndex

# Labels of the WHATWG's list, what they stand for, and text that shows it.
LABELS = [
    ("utf8", "utf-8", "Zoë — 磨坊"), ("unicode-1-1-utf-8", "utf-8", "né"), ("cp866", "cp866", "Мельница"),
    ("ibm866", "cp866", "Мельница"), ("latin2", "iso8859-2", "Stary młyn żółty"), ("l2", "iso8859-2", "Příliš"),
    ("iso-8859-3", "iso8859-3", "Ħobż"), ("latin4", "iso8859-4", "Ķeza"), ("iso-8859-5", "iso8859-5", "Мельница"),
    ("arabic", "iso8859-6", "المطحنة"), ("greek", "iso8859-7", "μύλος"), ("iso-8859-8", "iso8859-8", "טחנה"),
    ("logical", "iso8859-8", "טחנה"), ("latin6", "iso8859-10", "Ŧála"), ("iso-8859-13", "iso8859-13", "Šūksnis"),
    ("iso-8859-14", "iso8859-14", "Ŵy"), ("l9", "iso8859-15", "10 €uros"), ("iso-8859-15", "iso8859-15", "Œuvre €"),
    ("iso-8859-16", "iso8859-16", "țară"), ("koi8", "koi8-r", "Мельница"), ("koi8-ru", "koi8-u", "їжак ґанок"),
    ("mac", "mac-roman", "café “x”"), ("tis-620", "cp874", "โรงสี"), ("iso-8859-11", "cp874", "โรงสี “ก”"),
    ("x-cp1250", "cp1250", "“młyn” – łódź"), ("cp1251", "cp1251", "“Мельница” — да"), ("l1", "cp1252", "“x” – €"),
    ("us-ascii", "cp1252", "l’été"), ("iso-8859-1", "cp1252", "the “old” mill — €5"),
    ("windows-1253", "cp1253", "μύλος"),
    ("latin5", "cp1254", "“ışık” ğ"), ("iso-8859-9", "cp1254", "“ışık”"), ("cp1255", "cp1255", "טחנה"),
    ("windows-1256", "cp1256", "مطحنة"), ("x-cp1257", "cp1257", "malūnas ž"), ("cp1258", "cp1258", "Viêt Nam"),
    ("x-mac-ukrainian", "mac-cyrillic", "Їжак"), ("chinese", "gb18030", "磨坊鎔"), ("iso-ir-58", "gb18030", "磨坊"),
    ("gb2312", "gb18030", "臺鎔㐂"), ("gb18030", "gb18030", "㐂𠀀€"), ("big5-hkscs", "big5hkscs", "嘅①"),
    ("cn-big5", "big5hkscs", "碁"), ("cseucpkdfmtjapanese", "euc-jp", "水車小屋"),
    ("csiso2022jp", "iso2022_jp", "水車小屋"),
    ("ms_kanji", "cp932", "①髙～"), ("sjis", "cp932", "ﾊﾝｶｸ水"), ("korean", "cp949", "똠방각하"),
    ("ksc5601", "cp949", "방앗간"), ("iso-2022-kr", "iso2022_kr", "방앗간"), ("hz-gb-2312", "hz", "磨坊"),
]  # fmt: skip
WAYS = {
    "meta": '<meta charset="{}">',
    "meta http-equiv": '<!-- <meta charset="utf-8"> --><META HTTP-EQUIV=Content-Type CONTENT="text/html; CHARSET={}">',
    "xml": '<?xml version="1.0" encoding="{}"?>',
    "header": "",
}


@pytest.mark.parametrize(("label", "codec", "text"), LABELS)
@pytest.mark.parametrize("way", WAYS)
def test_labels_mean_what_they_mean_to_browsers(way: str, label: str, codec: str, text: str) -> None:
    page = WAYS[way].format(label).encode() + b"<p>" + text.encode(codec) + b"</p>"
    assert decoded(page, label if way == "header" else None).endswith(f"<p>{text}</p>")


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        ("größer".encode(), "iso-8859-1", "größer"),
        ("größer".encode("cp1252"), "utf-8", "größer"),
        ("größer".encode("cp1252"), "no-such-charset", "größer"),
        ("长城".encode("gb18030"), "GB18030", "长城"),
        (b"\x80 5", "gbk", "€ 5"),
        (b"\xad\xa1\xfc\xe2", "euc-jp", "①髙"),
        ("größer".encode("utf-16"), "utf-8", "größer"),
        ("größer".encode("utf-16-le"), "utf-16", "größer"),
        (b'<meta charset="utf-16">' + "größer".encode(), None, '<meta charset="utf-16">größer'),
        (b"\xef\xbb\xbfhi", "iso-8859-2", "hi"),
        (b"caf\xe9", "utf-8", "caf\ufffd"),
        (b"\x81\x8d", "ascii", "\x81\x8d"),
        (b"a\0\xff", "rot13", "a\0ÿ"),
    ],
)
def test_wrong_charsets_do_not_garble_the_text(content: bytes, declared: str | None, text: str) -> None:
    assert decoded(content, declared) == text


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "shift_jis", None])
@pytest.mark.parametrize("damage", [b"\xff", b"\xc3", b"\x80", b"\xe7\xa3"])
def test_a_damaged_byte_costs_one_character_of_utf8(declared: str | None, damage: bytes) -> None:
    page = "Müller mahlt früh und schön. ".encode() * 3
    for place in (page.index(b"mahlt"), len(page)):
        assert decoded(page[:place] + damage + page[place:], declared).count("Müller mahlt früh") >= 2


@given(st.binary(max_size=300), st.none() | st.sampled_from([one[0] for one in LABELS]) | st.text(max_size=10))
def test_any_bytes_can_be_decoded(content: bytes, declared: str | None) -> None:
    assert isinstance(decoded(content, declared), str)
    assert isinstance(of_file(content), str | None)


FILES = [
    ("cp1252", "The café’s “old” menu — €5."), ("cp1252", "Ça va très bien, à bientôt! Où êtes-vous?"),
    ("cp932", "会議のメモ：明日の午後に駅で会います。"), ("euc-jp", "会議のメモ：明日の午後に駅で会います。"),
    ("iso2022_jp", "会議のメモ：明日"), ("gb18030", "会议纪要：明天上午十点在车站见面。"),
    ("big5", "會議紀要：明天上午十點在車站見面。"),
    ("cp949", "회의록: 내일 오전 열 시에 역에서 만납시다."), ("cp1251", "Встреча завтра в десять утра на вокзале."),
    ("koi8-r", "Встреча завтра в десять утра на вокзале."),
    ("cp1250", "Spotkanie jutro o dziesiątej, proszę się nie spóźnić."),
    ("cp1253", "Η συνάντηση είναι αύριο το πρωί."), ("cp1256", "الاجتماع غدا في الساعة العاشرة صباحا."),
    ("utf-16-le", "Meeting at ten.\n"), ("utf-16-be", "Meeting at ten.\n"), ("utf-16-le", "会議\u3000明日\nメモ"),
    ("utf-16-be", "会議のメモ：明日の午後"), ("utf-16-le", "Встреча завтра"), ("utf-16", "Größe é"),
    ("utf-32", "Größe"),
    ("utf-8", "né"), ("utf-8-sig", "né"), ("ascii", ""),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "text"), FILES)
def test_text_files_are_read_in_any_common_encoding(codec: str, text: str) -> None:
    assert of_file(text.encode(codec)) == text


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)), b"abc\0def" * 10, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x7fELF\2\1\1" + b"\0" * 50, b"\0",
     b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + os.urandom(3000)],
)  # fmt: skip
def test_what_is_not_text_is_not_read(content: bytes) -> None:
    assert of_file(content) is None


def test_files_without_utf8_are_found_and_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_bytes("The ferry leaves at noon.".encode("utf-16-le"))
    (tmp_path / "old.md").write_bytes("Die Fähre fährt mittags über den Fluß.".encode("cp1252"))
    (tmp_path / "program.txt").write_bytes(b"MZ\0\1\2\3" * 50)
    index = DocumentIndex.from_folder(tmp_path)
    assert index.search("when does the ferry leave")[0].source == "wide.txt"
    assert index.search("Fähre Fluß")[0].text == "Die Fähre fährt mittags über den Fluß."
    (tmp_path / "wide.txt").unlink()
    (tmp_path / "old.md").unlink()
    with pytest.raises(RetrievalError, match=r"program\.txt is not text"):
        DocumentIndex.from_folder(tmp_path)


def test_sources_and_titles_of_files_are_in_one_unicode_form(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "Zürich_Café.txt")).write_text("The tram leaves at noon.", "utf-8")
    index = DocumentIndex.from_folder(tmp_path)
    (found,) = index.search("tram")
    assert (found.source, found.title) == ("Zürich_Café.txt", "Zürich café")
    assert not index.refresh().removed and index.search("tram") == [found]
