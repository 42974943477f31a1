"""What a reader sees in a Word file is in its text once: merged cells, fields, insertions, boxes, notes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.documents.index import DocumentIndex

pytest.importorskip("docx", reason="needs the extra 'documents'")

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml

NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
)


def run(text: str, properties: str = "") -> str:
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*inner: str) -> str:
    return f"<w:p>{''.join(inner)}</w:p>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(run(text))}</w:tc>"


def table(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def saved(path: Path, *blocks: str) -> Path:
    made = docx.Document()
    for block in blocks:
        made.element.body.insert(len(made.element.body) - 1, parse_xml(block.replace(">", f" {NAMESPACES}>", 1)))
    made.save(str(path))
    return path


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read(*blocks: str) -> str:
        path = saved(tmp_path / "a.docx", *blocks)
        (document,) = read_documents(path, "a.docx")
        return document.text

    return read


ONE_RUN = run("seven")
BOX = f"<w:txbxContent>{paragraph(run('Boxed'))}{paragraph(run('words'))}</w:txbxContent>"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (f'<w:fldSimple w:instr=" SEQ Table ">{ONE_RUN}</w:fldSimple>', "seven"),
        (f'<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF x</w:instrText></w:r>{ONE_RUN}', "seven"),
        (f"<w:ins w:id='1' w:author='A'>{ONE_RUN}</w:ins>", "seven"),
        (f"<w:moveTo w:id='1' w:author='A'>{ONE_RUN}</w:moveTo>", "seven"),
        (f"<w:moveFrom w:id='1' w:author='A'>{run('eight')}</w:moveFrom>{ONE_RUN}", "seven"),
        (f"<w:del w:id='1' w:author='A'><w:r><w:delText>eight</w:delText></w:r></w:del>{ONE_RUN}", "seven"),
        (f"<w:sdt><w:sdtPr/><w:sdtContent>{ONE_RUN}</w:sdtContent></w:sdt>", "seven"),
        (f"<w:sdt><w:sdtContent><w:sdt><w:sdtContent>{ONE_RUN}</w:sdtContent></w:sdt></w:sdtContent></w:sdt>", "seven"),
        (f"<w:smartTag><w:customXml>{ONE_RUN}</w:customXml></w:smartTag>", "seven"),
        (f"<w:hyperlink><w:ins w:id='1' w:author='A'>{ONE_RUN}</w:ins></w:hyperlink>", "seven"),
        ("<w:r><w:t>mother</w:t><w:noBreakHyphen/><w:t>in</w:t><w:softHyphen/><w:t>law</w:t></w:r>", "mother-inlaw"),
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>", "a b\nc"),
        ('<w:r><w:sym w:font="Symbol" w:char="00B0"/><w:sym w:font="Wingdings" w:char="F0E0"/></w:r>', "°"),
        (f"{ONE_RUN}{run('hidden', '<w:rPr><w:vanish/></w:rPr>')}", "seven"),
        (run("shown", "<w:rPr><w:vanish w:val='0'/></w:rPr>"), "shown"),
        ("<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath>",
         "ab"),
        (f"<w:r><w:ruby><w:rt>{run('かん')}</w:rt><w:rubyBase>{run('漢')}</w:rubyBase></w:ruby></w:r>", "漢"),
        (f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('Click')}</w:sdtContent></w:sdt>{ONE_RUN}",
         "seven"),
        (f"{ONE_RUN}<w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>{BOX}</wps:txbx></w:drawing></mc:Choice>"
         f"<mc:Fallback><w:pict><v:textbox>{BOX}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>",
         "seven\n\nBoxed\n\nwords"),
        (f"<w:r><w:pict><v:textbox>{BOX}</v:textbox></w:pict></w:r>", "Boxed\n\nwords"),
    ],
)  # fmt: skip
def test_each_part_of_a_paragraph_is_read_as_it_is_shown(read, inner: str, text: str) -> None:  # type: ignore[no-untyped-def]
    assert read(paragraph(run("(")), paragraph(inner), paragraph(run(")"))) == f"(\n\n{text}\n\n)"


def test_content_controls_and_changes_around_paragraphs_rows_and_cells_are_read(read) -> None:  # type: ignore[no-untyped-def]
    rows = (
        cell("Fruit") + cell("Price"),
        f"<w:sdt><w:sdtContent>{cell('Fig')}</w:sdtContent></w:sdt>{cell('2')}",
        f"<w:trPr><w:del w:id='1' w:author='A'/></w:trPr>{cell('Kiwi')}{cell('3')}",
        f"<w:trPr><w:ins w:id='2' w:author='A'/></w:trPr>{cell('Pear')}{cell('4')}",
    )
    control = f"<w:sdt><w:sdtContent>{paragraph(run('Inside.'))}{table(*rows)}</w:sdtContent></w:sdt>"
    assert read(control) == "Inside.\n\nFruit | Price\n--- | ---\nFig | 2\nPear | 4"


def test_merged_cells_are_read_once_and_columns_stay_in_line(read) -> None:  # type: ignore[no-untyped-def]
    down, goes_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    assert (
        read(
            table(
                cell("Price list", '<w:gridSpan w:val="3"/>'),
                cell("Hall") + cell("Hours", '<w:gridSpan w:val="2"/>'),
                cell("North", down) + cell("8", "") + cell("12"),
                cell("", goes_on) + cell("9") + cell("13"),
                f'<w:trPr><w:gridBefore w:val="1"/></w:trPr>{cell("10")}{cell("14")}',
            )
        )
        == "Price list |  | \nHall | Hours | \n--- | --- | ---\nNorth | 8 | 12\n | 9 | 13\n | 10 | 14"
    )
    two_lines = table(
        cell("Name", down) + cell("Fee", '<w:gridSpan w:val="2"/>'),
        cell("", goes_on) + cell("Adult") + cell("Child"),
        cell("Swimming") + cell("9") + cell("4"),
    )
    assert read(two_lines).split("\n")[2] == "--- | --- | ---"
    assert "---" not in read(table(cell("Floor 1", down) + cell("Shop"), cell("", goes_on) + cell("Desk")))


def test_tables_in_tables_and_frames_are_read(read) -> None:  # type: ignore[no-untyped-def]
    inner = table(cell("Extension") + cell("4471"), cell("Fax") + cell("4472"))
    nested = f"<w:tc><w:tcPr/>{paragraph(run('Call'))}{inner}{paragraph()}</w:tc>"
    assert read(table(cell("Desk") + nested)) == "Desk | Call Extension, 4471; Fax, 4472"
    frame = f"<w:tc><w:tcPr/>{paragraph(run('A note.'))}{inner}</w:tc>"
    assert read(table(frame)) == "A note.\n\nExtension | 4471\n--- | ---\nFax | 4472"


def test_a_bar_in_a_cell_stays_in_its_cell(tmp_path: Path) -> None:
    rows = [cell("Key") + cell("Does"), cell("a|b") + cell("either")]
    saved(tmp_path / "a.docx", table(*rows))
    (passage,) = DocumentIndex.from_folder(tmp_path, embed=None).passages
    assert passage.text == "Key | Does\na|b | either"


def test_headings_are_known_by_the_styles_that_they_are_made_from(tmp_path: Path) -> None:
    made = docx.Document()
    mine = made.styles.add_style("Company chapter", WD_STYLE_TYPE.PARAGRAPH)
    mine.base_style = made.styles["Heading 2"]
    made.add_paragraph("Rules", style="Title")
    made.add_paragraph("Pets", style="Company chapter")
    made.add_paragraph("Dogs wait outside.")
    outlined = made.add_paragraph("Bikes")
    outlined._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {NAMESPACES} w:val="1"/>'))
    made.add_paragraph("Lock them.")
    made.save(str(tmp_path / "a.docx"))
    found = DocumentIndex.from_folder(tmp_path, embed=None).passages
    assert [(p.title, p.text) for p in found] == [
        ("Rules: Pets", "Dogs wait outside."), ("Rules: Bikes", "Lock them."),
    ]  # fmt: skip


def test_headers_and_footers_are_read_once(tmp_path: Path) -> None:
    made = docx.Document()
    for number in range(2):
        section = made.add_section() if number else made.sections[0]
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        section.header.paragraphs[0].text = "Policy 12"
        section.footer.paragraphs[0].text = ("Valid to June", "17")[number]
    made.add_paragraph("Body.")
    made.save(str(tmp_path / "a.docx"))
    (document,) = read_documents(tmp_path / "a.docx", "a.docx")
    assert document.text == "Policy 12\n\nValid to June\n\nBody."


def test_footnotes_are_read_where_they_are_referred_to(tmp_path: Path) -> None:
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    saved(tmp_path / "plain.docx", paragraph(run("The fee is 20 euros"), reference, run(".")))
    notes = (
        f'<w:footnotes {NAMESPACES}><w:footnote w:type="separator" w:id="-1">{paragraph(run("----"))}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph(run("10 for members"), reference)}</w:footnote></w:footnotes>'
    )
    with zipfile.ZipFile(tmp_path / "plain.docx") as plain, zipfile.ZipFile(tmp_path / "a.docx", "w") as noted:
        for item in plain.namelist():
            content = plain.read(item)
            if item == "word/_rels/document.xml.rels":
                kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
                added = f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'
                content = content.replace(b"</Relationships>", added.encode())
            noted.writestr(item, content)
        noted.writestr("word/footnotes.xml", notes)
    (document,) = read_documents(tmp_path / "a.docx", "a.docx")
    assert document.text == "The fee is 20 euros (10 for members)."
