"""The receipt as a PDF, from wheels alone: fpdf2 with an embedded subset of DejaVu Sans.

A letter that the font lacks is printed as a white square, so that its absence is seen and nothing fails.
"""

import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from payments.models import Confirmation, CreditNote, Receipt
from payments.receipts.credit_paper import credit_paper_of
from payments.receipts.languages import WORDS, choose
from payments.receipts.paper import Paper, paper_of
from payments.receipts.words import Words

FONTS = Path(__file__).resolve().parent / "fonts"
REGULAR, BOLD = FONTS / "DejaVuSans.ttf", FONTS / "DejaVuSans-Bold.ttf"
MISSING = "\u25a1"
FAMILY = "DejaVu"
PAGE_MM = (148.0, 210.0)  # A5: reads on a phone, prints on A4
MARGIN_MM = 12.0
SMALL, BODY, LARGE, TITLE = 7.0, 8.0, 10.0, 15.0  # points
INK, GREY, RULE, ACCENT = (23, 33, 28), (85, 99, 91), (205, 213, 208), (11, 110, 79)
COLUMNS = (0.40, 0.17, 0.145, 0.13, 0.155)  # item, rate, net, VAT, gross: shares of the width


def render(receipt: Receipt, *, language: str | None = None) -> bytes:
    """Return the PDF of a receipt, in the language of its payment where none is given."""
    chosen = choose([language or receipt.payment.language])
    confirmations = list(Confirmation.objects.filter(payment=receipt.payment_id))
    paper = paper_of(receipt, confirmations, language=chosen)
    return draw(paper, WORDS[chosen], issued_at=receipt.issued_at, language=chosen)


def render_credit_note(note: CreditNote, *, language: str | None = None) -> bytes:
    """Return the PDF of a credit note, in the language of its payment where none is given."""
    chosen = choose([language or note.payment.language])
    paper = credit_paper_of(note, language=chosen)
    return draw(paper, WORDS[chosen], issued_at=note.issued_at, language=chosen)


def draw(paper: Paper, words: Words, *, issued_at: datetime, language: str) -> bytes:
    """Lay a receipt or a credit note out on A5 pages."""
    pdf = _Sheet(words)
    pdf.set_title(f"{paper.title} {paper.number}")
    pdf.set_lang(language)
    pdf.set_creation_date(issued_at)
    pdf.add_page()
    _head(pdf, paper)
    pdf.pairs([(fact.label, fact.value) for fact in paper.facts])
    _bill(pdf, paper, words)
    pdf.heading(words.payment)
    pdf.pairs([(fact.label, fact.value) for fact in paper.payment])
    pdf.text_block(paper.money)
    if paper.card_lines:
        pdf.heading(words.card_details)
        for line in paper.card_lines:
            pdf.text_block(line, size=SMALL, gap=0)
    if paper.support:
        pdf.ln(3)
        pdf.text_block(f"{words.questions} {paper.support}", colour=GREY)
    return bytes(pdf.output())


@cache
def letters() -> frozenset[int]:
    """Return the code points that both weights of the font can print."""
    maps = [set(TTFont(path, lazy=True).getBestCmap()) for path in (REGULAR, BOLD)]
    return frozenset(maps[0] & maps[1])


def printable(text: str) -> str:
    """Return `text` with control characters as blanks and letters without a glyph as white squares."""
    return "".join(_printable(letter) for letter in text)


def _printable(letter: str) -> str:
    if unicodedata.category(letter).startswith("C"):
        return " "
    return letter if ord(letter) in letters() else MISSING


class _Sheet(FPDF):
    """A5 pages with our font, a page number, and the few shapes a receipt is made of."""

    def __init__(self, words: Words) -> None:
        super().__init__(orientation="portrait", unit="mm", format=PAGE_MM)
        self._words = words
        self.set_margin(MARGIN_MM)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=16)
        self.alias_nb_pages("{pages}")
        self.add_font(FAMILY, "", REGULAR)
        self.add_font(FAMILY, "B", BOLD)
        self.set_text_shaping(False)

    def footer(self) -> None:
        self.set_y(-11)
        self.ink(SMALL, colour=GREY)
        self.cell(0, 4, self._words.page.format(self.page_no(), "{pages}"), align="C")

    def ink(self, size: float = BODY, *, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        """Choose how the next text looks."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def rule(self, colour: tuple[int, int, int] = RULE, width: float = 0.2) -> None:
        """Draw a line across the page at the present height."""
        self.set_draw_color(*colour)
        self.set_line_width(width)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())

    def heading(self, text: str) -> None:
        self.ln(3)
        self.ink(LARGE, bold=True)
        self.cell(0, 6, printable(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def text_block(
        self, text: str, *, size: float = BODY, gap: float = 1, colour: tuple[int, int, int] = INK
    ) -> None:
        self.ink(size, colour=colour)
        self.ln(gap)
        self.multi_cell(0, size * 0.52, printable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def pairs(self, pairs: list[tuple[str, str]]) -> None:
        """Print labels and values in two columns."""
        with self.table(
            col_widths=(32, 68), borders_layout="NONE", line_height=4.6, text_align="LEFT", first_row_as_headings=False,
            padding=0,
        ) as table:  # fmt: skip
            for label, value in pairs:
                row = table.row()
                self.ink(colour=GREY)
                row.cell(printable(label))
                self.ink()
                row.cell(printable(value))

    def columns(self, values: tuple[str, ...], *, bold: bool = False, height: float = 4.6) -> None:
        """Print one line of the bill's columns; all but the first stand to the right."""
        for share, value in zip(COLUMNS, values, strict=True):
            width = self.epw * share
            self.ink(bold=bold)
            if self.get_string_width(printable(value)) > width - 1:
                self.ink(SMALL * 0.86, bold=bold)
            align = "L" if share == COLUMNS[0] else "R"
            self.cell(width, height, printable(value), align=align)
        self.ln(height)


def _head(pdf: _Sheet, paper: Paper) -> None:
    name, *rest = paper.seller or [""]
    pdf.ink(LARGE, bold=True)
    pdf.multi_cell(pdf.epw * 0.62, 5, printable(name), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    for line in rest:
        pdf.ink(SMALL, colour=GREY)
        pdf.multi_cell(pdf.epw * 0.62, 3.7, printable(line), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    below = pdf.get_y()
    for y, (size, bold, colour, text) in zip(
        (MARGIN_MM, MARGIN_MM + 7, MARGIN_MM + 11.5),
        (
            (TITLE, True, ACCENT, paper.title),
            (BODY, True, INK, paper.number),
            (SMALL, False, GREY, paper.issued),
        ),
        strict=True,
    ):
        pdf.set_xy(MARGIN_MM, y)
        pdf.ink(size, bold=bold, colour=colour)
        pdf.cell(0, 5, printable(text), align="R")
    pdf.set_xy(MARGIN_MM, max(below, MARGIN_MM + 16) + 2)
    pdf.rule(ACCENT, 0.5)
    pdf.ln(3)


def _bill(pdf: _Sheet, paper: Paper, words: Words) -> None:
    pdf.ln(3)
    pdf.columns((words.description, words.rate, words.net, words.vat, words.gross), bold=True)
    pdf.rule()
    pdf.ln(1)
    for row in paper.rows:
        pdf.columns((row.text, row.rate, row.net, row.vat, row.gross))
        if row.detail:
            pdf.text_block(row.detail, size=SMALL, gap=0, colour=GREY)
        pdf.ln(0.8)
    pdf.rule()
    pdf.ln(1)
    pdf.columns((words.total, "", paper.net, paper.vat, paper.total), bold=True, height=6)
    if len(paper.groups) > 1:
        for group in paper.groups:
            pdf.columns((words.vat, group.rate, group.net, group.vat, group.gross))
