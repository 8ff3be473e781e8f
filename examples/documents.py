"""The paper pages at 150 dots an inch, A4: an invoice, a bank statement, a report in two columns."""

from __future__ import annotations

from itertools import accumulate

import article
import content
from content import money
from drawing import GREY, INK, RULE, Page, scaled, wrapped

A4 = (1240, 1754)
LEFT, RIGHT = 130, 1110


def invoice() -> Page:
    """Return the invoice: a logo, two addresses, a table, totals, and much empty paper."""
    page = Page(*A4)
    blue = "#1d4f73"
    page.panel((LEFT, 110, LEFT + 84, 194), blue, radius=14)
    page.line([(LEFT + 16, 166), (LEFT + 31, 140), (LEFT + 44, 160), (LEFT + 56, 132), (LEFT + 68, 150)], "#ffffff", 5)
    name, *address = content.INVOICE_SELLER
    page.write(LEFT + 106, 148, name, 28, blue, bold=True)
    page.write(LEFT + 106, 182, "Water level and weather stations", 19, GREY)
    for at, line in enumerate(address):
        page.write(RIGHT, 132 + 28 * at, line, 18, GREY, align="r")
    page.write(LEFT, 330, "INVOICE", 46, INK, bold=True)

    _block(page, LEFT, 400, "Bill to", content.INVOICE_BUYER)
    _block(page, 530, 400, "Deliver to", content.INVOICE_DELIVERY)
    for at, (label, value) in enumerate(content.INVOICE_FACTS):
        page.write(820, 400 + 30 * at, label, 18, GREY)
        page.write(RIGHT, 400 + 30 * at, value, 18, bold=label == "Due date", align="r")

    bottom = _invoice_table(page, 610, blue)
    _invoice_totals(page, bottom + 44, blue)
    page.write(LEFT, bottom + 44, "Payment", 19, bold=True)
    for at, (label, value) in enumerate(content.INVOICE_PAYMENT):
        page.write(LEFT, bottom + 80 + 28 * at, label, 18, GREY)
        page.write(LEFT + 120, bottom + 80 + 28 * at, value, 18)
    page.paragraph(LEFT, 1500, content.INVOICE_NOTE, 640, 17, GREY)
    page.rule(LEFT, 1650, RIGHT)
    page.write((LEFT + RIGHT) / 2, 1682, content.INVOICE_FOOTER, 15, GREY, align="m")
    return page


def _block(page: Page, x: float, y: float, title: str, lines: tuple[str, ...]) -> None:
    page.write(x, y, title, 18, GREY)
    for at, line in enumerate(lines, 1):
        page.write(x, y + 30 * at, line, 19, bold=at == 1)


def _invoice_table(page: Page, y: float, colour: str) -> float:
    page.panel((LEFT, y, RIGHT, y + 46), colour)
    stops = ((LEFT + 18, "l"), (780, "r"), (940, "r"), (RIGHT - 18, "r"))
    for (x, align), label in zip(stops, ("Description", "Quantity", "Unit price", "Amount"), strict=True):
        page.write(x, y + 30, label, 18, "#ffffff", bold=True, align=align)
    y += 46
    for item in content.INVOICE_ITEMS:
        cells = (item.name, str(item.quantity), money(item.price), money(item.amount))
        for (x, align), cell in zip(stops, cells, strict=True):
            page.write(x, y + 34, cell, 20, align=align)
        page.write(LEFT + 18, y + 60, item.detail, 16, GREY)
        y += 78
        page.rule(LEFT, y, RIGHT)
    return y


def _invoice_totals(page: Page, y: float, colour: str) -> None:
    rows = (
        ("Subtotal", content.INVOICE_SUBTOTAL),
        (f"Tax {content.INVOICE_TAX_PERCENT}%", content.INVOICE_TAX),
    )
    for label, cents in rows:
        page.write(820, y, label, 20, GREY)
        page.write(RIGHT - 18, y, money(cents), 20, align="r")
        y += 36
    page.rule(820, y - 14, RIGHT, colour, 2)
    page.write(820, y + 26, "Total due", 24, colour, bold=True)
    page.write(RIGHT - 18, y + 26, f"${money(content.INVOICE_TOTAL)}", 24, colour, bold=True, align="r")


STATEMENT_STOPS = ((LEFT, "l"), (215, "l"), (610, "l"), (865, "r"), (985, "r"), (RIGHT, "r"))
STATEMENT_COLUMNS = ("Date", "Description", "Reference", "Paid out", "Paid in", "Balance")


def statement() -> Page:
    """Return the bank statement: forty-five transactions in a table of wide columns."""
    page = Page(*A4)
    green = "#1f5c46"
    page.disc(LEFT + 30, 128, 30, green)
    for lean in (-13, 0, 13):
        page.line([(LEFT + 30, 146), (LEFT + 30 + lean, 112)], "#ffffff", 4)
    page.write(LEFT + 80, 138, content.BANK, 30, green, bold=True)
    for at, line in enumerate(content.BANK_ADDRESS):
        page.write(RIGHT, 118 + 26 * at, line, 16, GREY, align="r")

    for at, line in enumerate(content.STATEMENT_HOLDER):
        page.write(LEFT, 254 + 28 * at, line, 20)
    for at, (label, value) in enumerate(content.STATEMENT_FACTS):
        page.write(720, 240 + 28 * at, label, 17, GREY)
        page.write(RIGHT, 240 + 28 * at, value, 17, align="r")

    _row(page, 400, STATEMENT_COLUMNS, 17, green, bold=True)
    page.rule(LEFT, 412, RIGHT, green, 2)
    y = 440
    _row(page, y, ("01 Mar", "Balance brought forward", "", "", "", money(content.STATEMENT_OPENING)), bold=True)
    balances = accumulate((cents for *_, cents in content.TRANSACTIONS), initial=content.STATEMENT_OPENING)
    next(balances)
    for (date, description, reference, cents), balance in zip(content.TRANSACTIONS, balances, strict=True):
        y += 24
        amounts = ("", money(cents)) if cents > 0 else (money(-cents), "")
        _row(page, y, (date, description, reference, *amounts, money(balance)))
    page.rule(LEFT, y + 12, RIGHT, green, 2)
    totals = (money(content.STATEMENT_PAID_OUT), money(content.STATEMENT_PAID_IN), money(content.STATEMENT_CLOSING))
    _row(page, y + 42, ("31 Mar", "Balance carried forward", "", *totals), bold=True)
    for at, line in enumerate(content.STATEMENT_FOOTER):
        page.write(LEFT, 1652 + 24 * at, line, 15, GREY)
    return page


def _row(
    page: Page, y: float, cells: tuple[str, ...], size: float = 17, colour: str = INK, *, bold: bool = False
) -> None:
    for (x, align), cell in zip(STATEMENT_STOPS, cells, strict=True):
        if cell:
            page.write(x, y, cell, size, colour, bold=bold, align=align)


COLUMN, GUTTER, TEXT_SIZE, LEADING = 492, 44, 17, 22
COLUMN_BOTTOM = 1632


def two_columns() -> Page:
    """Return the report: a title over both columns, justified text, headings and a plot."""
    page = Page(*A4, paper="#fffefb")
    left = (A4[0] - 2 * COLUMN - GUTTER) // 2
    right = left + 2 * COLUMN + GUTTER
    page.write(left, 92, article.HEADER[0], 16, GREY)
    page.write(right, 92, article.HEADER[1], 16, GREY, align="r")
    page.rule(left, 104, right)
    page.write(620, 176, article.TITLE, 40, align="m", bold=True)
    page.write(620, 224, article.AUTHORS, 20, align="m")
    page.write(620, 252, article.AFFILIATION, 17, GREY, align="m")
    y = page.paragraph(left + 110, 304, article.ABSTRACT, right - left - 220, 17.5, leading=24)
    Columns(page, left, y + 28).flow()
    page.write(620, 1690, article.PAGE, 17, GREY, align="m")
    return page


class Columns:
    """A pen that runs down the first column and goes on at the top of the second."""

    def __init__(self, page: Page, left: float, top: float) -> None:
        self.page, self.left, self.top = page, left, top
        self.x, self.y = left, top

    def flow(self) -> None:
        """Write the whole article."""
        for heading, *parts in article.SECTIONS:
            self.heading(heading)
            for part in parts:
                if part is article.FIGURE:
                    self.figure()
                else:
                    self.paragraph(part)
        self.heading("References")
        for entry in article.REFERENCES:
            self.room(20)
            self.y = 8 + self.page.paragraph(self.x, self.y, entry, COLUMN, 15, leading=20)

    def room(self, height: float) -> None:
        """Move to the second column unless that much room is left in this one."""
        if self.y + height > COLUMN_BOTTOM:
            if self.x > self.left:
                raise ValueError("the article is too long for its page")
            self.x, self.y = self.x + COLUMN + GUTTER, self.top

    def heading(self, text: str) -> None:
        """Write a heading that stays with two lines of its text."""
        self.room(2 * LEADING + 20)
        self.y += 14 if self.y > self.top else 0
        self.page.write(self.x, self.y, text, 20, bold=True)
        self.y += 31

    def paragraph(self, text: str) -> None:
        """Write justified lines; the last one stays ragged."""
        *full, last = wrapped(text, COLUMN, TEXT_SIZE)
        for line in full:
            self.room(0)
            self.page.justified(self.x, self.y, line, COLUMN, TEXT_SIZE)
            self.y += LEADING
        self.room(0)
        self.page.write(self.x, self.y, last, TEXT_SIZE)
        self.y += LEADING + 8

    def figure(self) -> None:
        """Draw the plot with its caption."""
        self.room(320)
        _plot(self.page, self.x, self.y)
        self.y = 20 + self.page.paragraph(self.x, self.y + 274, article.FIGURE_CAPTION, COLUMN, 15.5, leading=21)


def _plot(page: Page, x: float, y: float) -> None:
    across, down = (x + 62, x + COLUMN - 12), (y + 206, y + 14)
    years, levels = (1984, 2027), (4880, 5080)
    page.panel((across[0], down[1], across[1], down[0]), "#ffffff", RULE)
    page.write(x, y + 4, "mm", 14, GREY)
    for level in range(4900, 5080, 50):
        height = round(scaled(level, levels, down))
        page.rule(across[0], height, across[1], "#e6e9ec")
        page.write(across[0] - 8, height + 5, f"{level:,}", 14, GREY, align="r")
    first, last = article.FIGURE_YEARS
    trend = [4920 + article.FIGURE_SLOPE * (year - first) for year in (first, last)]
    points = [
        (scaled(year, years, across), scaled(4920 + article.FIGURE_SLOPE * (year - first) + off, levels, down))
        for year, off in zip(range(first, last + 1), article.FIGURE_RESIDUALS, strict=True)
    ]
    page.line(points, "#9db4c8", 1.5)
    for at in points:
        page.disc(*at, 3, "#2b5d8a")
    ends = zip((first, last), trend, strict=True)
    page.line([(scaled(year, years, across), scaled(level, levels, down)) for year, level in ends], "#b0413e", 2.5)
    for year in range(1990, 2026, 5):
        page.write(round(scaled(year, years, across)), y + 226, str(year), 14, GREY, align="m")
    page.write(round(sum(across) / 2), y + 246, "Year", 14, GREY, align="m")
