"""The screenshots: a dashboard for a desk, and an app on a telephone."""

from __future__ import annotations

import content
from content import money
from drawing import WHITE, Box, Page, scaled

TEXT = "#1f2733"
SOFT = "#6b7788"
LINE = "#e3e8ee"
BLUE = "#2f6fde"
GOOD, BAD = "#1c8a5a", "#c2452d"

SIDEBAR = 260
INNER = 292, 1888  # the left and right edge of all cards of the dashboard


def dashboard() -> Page:
    """Return the dashboard: a sidebar, four cards, a bar chart, a line chart and a table."""
    page = Page(1920, 1080, paper="#f3f5f8")
    _sidebar(page)
    page.panel((SIDEBAR, 0, 1920, 72), WHITE)
    page.rule(SIDEBAR, 71, 1920, LINE)
    page.write(INNER[0], 45, "Overview", 24, TEXT, bold=True)
    page.panel((1230, 18, 1560, 54), "#f3f5f8", LINE, radius=8)
    page.write(1250, 42, "Search shipments", 16, SOFT)
    page.panel((1580, 18, 1730, 54), WHITE, LINE, radius=8)
    page.write(1655, 42, "Week 12, 2026", 16, TEXT, align="m")
    page.panel((1748, 18, 1888, 54), BLUE, radius=8)
    page.write(1818, 42, "New report", 16, WHITE, align="m", bold=True)

    for at, card in enumerate(content.DASHBOARD_CARDS):
        _card(page, INNER[0] + at * 404, 96, *card)
    _bars(page, (292, 250, 1080, 600))
    _curve(page, (1100, 250, 1888, 600))
    _table(page, (292, 624, 1888, 1056))
    return page


def _sidebar(page: Page) -> None:
    page.panel((0, 0, SIDEBAR, 1080), "#182233")
    page.panel((24, 22, 58, 56), BLUE, radius=8)
    page.area([(41, 28), (52, 50), (41, 44), (30, 50)], WHITE)
    page.write(72, 46, content.DASHBOARD_NAME, 18, WHITE, bold=True)
    for at, name in enumerate(content.DASHBOARD_MENU):
        y, active = 98 + at * 48, at == 0
        if active:
            page.panel((14, y, SIDEBAR - 14, y + 40), "#2a3850", radius=8)
        colour = WHITE if active else "#a9b4c6"
        page.panel((30, y + 12, 46, y + 28), BLUE if active else "#55637b", radius=4)
        page.write(62, y + 26, name, 17, colour)
    page.rule(24, 996, SIDEBAR - 24, "#2a3850")
    page.disc(44, 1034, 20, "#55637b")
    page.write(44, 1040, "RL", 16, WHITE, align="m")
    page.write(78, 1030, content.DASHBOARD_USER[0], 16, WHITE)
    page.write(78, 1052, content.DASHBOARD_USER[1], 14, "#a9b4c6")


def _card(page: Page, x: float, y: float, label: str, value: str, note: str, good: bool) -> None:
    page.panel((x, y, x + 384, y + 130), WHITE, LINE, radius=10)
    page.write(x + 22, y + 34, label, 16, SOFT)
    page.write(x + 22, y + 78, value, 34, TEXT, bold=True)
    page.write(x + 22, y + 110, note, 15, GOOD if good else BAD)


def _framed(page: Page, box: Box, title: str, note: str) -> None:
    page.panel(box, WHITE, LINE, radius=10)
    page.write(box[0] + 22, box[1] + 38, title, 19, TEXT, bold=True)
    page.write(box[2] - 22, box[1] + 38, note, 15, SOFT, align="r")


def _bars(page: Page, box: Box) -> None:
    _framed(page, box, "Shipments per day", "16 to 22 March")
    floor, ceiling, left = box[3] - 48, box[1] + 76, box[0] + 76
    for count in range(0, 2000, 500):
        y = round(scaled(count, (0, 1750), (floor, ceiling)))
        page.rule(left, y, box[2] - 22, LINE)
        page.write(left - 12, y + 5, f"{count:,}", 14, SOFT, align="r")
    for at, (_, count) in enumerate(content.SHIPMENTS_PER_DAY):
        x, top = left + 22 + at * 100, round(scaled(count, (0, 1750), (floor, ceiling)))
        page.panel((x, top, x + 56, floor), BLUE if count > 1000 else "#a8c3f3")
        page.write(x + 28, top - 8, f"{count:,}", 14, TEXT, align="m")
    for at, (day, _) in enumerate(content.SHIPMENTS_PER_DAY):
        page.write(left + 50 + at * 100, floor + 26, day, 15, SOFT, align="m")


def _curve(page: Page, box: Box) -> None:
    _framed(page, box, "On-time rate", "Last 12 weeks, target 95%")
    down, across = (box[3] - 48, box[1] + 66), (box[0] + 92, box[2] - 44)
    levels = (92, 97)
    for level in range(92, 98):
        y = round(scaled(level, levels, down))
        page.rule(box[0] + 72, y, box[2] - 22, "#8fb79f" if level == 95 else LINE)
        page.write(box[0] + 62, y + 5, f"{level}%", 14, SOFT, align="r")
    last = len(content.ON_TIME_BY_WEEK) - 1
    points = [
        (scaled(at, (0, last), across), scaled(rate, levels, down)) for at, rate in enumerate(content.ON_TIME_BY_WEEK)
    ]
    page.area([(across[0], down[0]), *points, (across[1], down[0])], "#eaf1fd")
    for level in range(93, 97):  # the area covers the grid: draw it again, paler
        page.rule(box[0] + 72, round(scaled(level, levels, down)), box[2] - 22, "#8fb79f" if level == 95 else "#d5e0f2")
    page.line(points, BLUE, 3)
    for point in points:
        page.disc(*point, 5, BLUE)
        page.disc(*point, 2.5, WHITE)
    page.write(
        points[-1][0], round(points[-1][1]) - 14, f"{content.ON_TIME_BY_WEEK[-1]}%", 15, TEXT, align="m", bold=True
    )
    for at, (x, _) in enumerate(points):
        page.write(round(x), down[0] + 26, f"W{content.FIRST_WEEK + at}", 14, SOFT, align="m")


TABLE_STOPS = ((22, "l"), (220, "l"), (560, "l"), (870, "l"), (1230, "r"), (1574, "r"))
TABLE_COLUMNS = ("Shipment", "Customer", "Route", "Status", "Delay", "Value at risk")
STATUS_COLOURS = {
    "Customs hold": ("#fdf0dc", "#8f5a08"),
    "Address query": ("#e8eefb", "#2856b3"),
    "Cold chain alert": ("#fde6e1", "#a83620"),
    "Missed transfer": ("#efe9fb", "#5f3fb0"),
    "Damaged carton": ("#fde6e1", "#a83620"),
}


def _table(page: Page, box: Box) -> None:
    _framed(page, box, "Open exceptions", f"{len(content.EXCEPTIONS)} shipments")
    y = box[1] + 54
    page.panel((box[0] + 1, y, box[2] - 1, y + 38), "#f7f9fb")
    for (x, align), name in zip(TABLE_STOPS, TABLE_COLUMNS, strict=True):
        page.write(box[0] + x, y + 25, name, 15, SOFT, align=align)
    y += 38
    for row in content.EXCEPTIONS:
        page.rule(box[0] + 1, y, box[2] - 1, LINE)
        paper, ink = STATUS_COLOURS[row[3]]
        for (x, align), cell in zip(TABLE_STOPS, (*row[:5], f"${money(row[5])}"), strict=True):
            if cell == row[3]:
                page.panel((box[0] + x, y + 10, box[0] + x + 158, y + 38), paper, radius=14)
                page.write(box[0] + x + 79, y + 30, cell, 15, ink, align="m")
            else:
                page.write(box[0] + x, y + 30, cell, 16, BLUE if cell == row[0] else TEXT, align=align)
        y += 48


LEAF = "#2d7a4f"
THUMBNAILS = ("#d9a867", "#d9534a", "#e8d3b0", "#b9cbe0", "#efe6c8", "#6b4a3a")


def mobile() -> Page:
    """Return the telephone: a grocery order on its way, at three pixels a point."""
    page = Page(1080, 2340, paper="#f4f6f2")
    _status_bar(page)
    page.line([(76, 196), (52, 220), (76, 244)], TEXT, 6)
    page.write(540, 234, "Your order", 46, TEXT, align="m", bold=True)
    page.write(1032, 234, "Help", 40, LEAF, align="r")
    _progress(page, (40, 300, 1040, 760))
    _order(page, (40, 800, 1040, 2130))
    _tabs(page)
    return page


def _status_bar(page: Page) -> None:
    page.write(96, 92, "9:41", 44, TEXT, bold=True)
    for at in range(4):
        page.panel((790 + at * 18, 82 - at * 8, 802 + at * 18, 92), TEXT, radius=3)
    page.write(932, 92, "4G", 34, TEXT, align="r", bold=True)
    page.panel((950, 60, 1014, 94), "#f4f6f2", TEXT, radius=9)
    page.panel((956, 66, 994, 88), TEXT, radius=5)
    page.panel((1017, 70, 1022, 84), TEXT)


def _progress(page: Page, box: Box) -> None:
    left, top, right, _ = box
    page.panel(box, WHITE, radius=36)
    page.write(left + 48, top + 84, "Arriving 10:05 to 10:25", 50, TEXT, bold=True)
    page.write(left + 48, top + 144, f"{content.MOBILE_SHOP}, order 5518", 38, SOFT)
    xs, y = (left + 140, (left + right) / 2, right - 140), top + 240
    page.panel((xs[0], y - 5, xs[2], y + 5), "#dfe6dc")
    page.panel((xs[0], y - 5, xs[1], y + 5), LEAF)
    for at, (x, step) in enumerate(zip(xs, content.MOBILE_STEPS, strict=True)):
        page.disc(x, y, 26, LEAF if at < 2 else "#dfe6dc")
        if at < 2:
            page.line([(x - 11, y + 1), (x - 3, y + 9), (x + 12, y - 8)], WHITE, 5)
        page.write(x, y + 80, step, 36, TEXT if at < 2 else SOFT, align="m")
    page.panel((left + 48, top + 356, right - 48, top + 430), "#e6f1ea", radius=22)
    page.write((left + right) / 2, top + 406, "Ben is four stops away", 38, LEAF, align="m")


def _order(page: Page, box: Box) -> None:
    left, top, right, _ = box
    page.panel(box, WHITE, radius=36)
    page.write(left + 48, top + 82, f"{sum(item.quantity for item in content.MOBILE_ITEMS)} items", 44, TEXT, bold=True)
    page.write(right - 48, top + 82, "Edit", 40, LEAF, align="r")
    y = top + 120
    for item, colour in zip(content.MOBILE_ITEMS, THUMBNAILS, strict=True):
        page.panel((left + 48, y + 18, left + 148, y + 118), "#f1f3ee", radius=22)
        page.disc(left + 98, y + 68, 30, colour)
        page.write(left + 180, y + 62, item.name, 42, TEXT)
        page.write(right - 48, y + 62, f"${money(item.amount)}", 42, TEXT, align="r")
        detail = f"{item.quantity} x ${money(item.price)}   ·   {item.detail}" if item.quantity > 1 else item.detail
        page.write(left + 180, y + 110, detail, 34, SOFT)
        y += 138
        page.rule(left + 180, y, right - 48, LINE, 2)
    sums = (
        ("Subtotal", content.MOBILE_SUBTOTAL),
        ("Delivery", content.MOBILE_DELIVERY),
        ("Voucher SPRING", content.MOBILE_DISCOUNT),
    )
    y += 70
    for label, cents in sums:
        page.write(left + 48, y, label, 40, SOFT)
        page.write(right - 48, y, f"{'-' * (cents < 0)}${money(abs(cents))}", 40, SOFT, align="r")
        y += 62
    page.write(left + 48, y + 22, "Total", 48, TEXT, bold=True)
    page.write(right - 48, y + 22, f"${money(content.MOBILE_TOTAL)}", 48, TEXT, align="r", bold=True)


def _tabs(page: Page) -> None:
    page.panel((0, 2160, 1080, 2340), WHITE)
    page.rule(0, 2160, 1080, LINE, 2)
    for at, name in enumerate(content.MOBILE_TABS):
        x, colour = 135 + at * 270, LEAF if name == "Orders" else "#8b968c"
        if at == 0:
            page.area([(x - 30, 2216), (x, 2188), (x + 30, 2216), (x + 22, 2216), (x + 22, 2238), (x - 22, 2238),
                       (x - 22, 2216)], colour)  # fmt: skip
        elif at == 1:
            page.disc(x - 4, 2210, 22, colour)
            page.disc(x - 4, 2210, 15, WHITE)
            page.line([(x + 11, 2225), (x + 24, 2238)], colour, 7)
        elif at == 2:
            page.panel((x - 24, 2188, x + 24, 2238), colour, radius=8)
            for y in (2202, 2214, 2226):
                page.rule(x - 14, y, x + 14, WHITE, 4)
        else:
            page.disc(x, 2202, 14, colour)
            page.panel((x - 26, 2220, x + 26, 2238), colour, radius=9)
        page.write(x, 2280, name, 32, colour, align="m")
    page.panel((370, 2312, 710, 2322), TEXT, radius=5)
