"""What the example pictures say. All names, addresses and numbers are invented; money is in cents.

The pictures use the letters that Pillow's built-in font has: ASCII and a few typographic marks, no dashes or currencies
beyond the dollar.
"""

from __future__ import annotations

from dataclasses import dataclass


def money(cents: int) -> str:
    """Return cents as an amount with two decimals and commas: 123456 is ``1,234.56``."""
    return f"{'-' * (cents < 0)}{abs(cents) // 100:,}.{abs(cents) % 100:02}"


@dataclass(frozen=True)
class Item:
    """A line of the invoice or of the order."""

    name: str
    detail: str
    quantity: int
    price: int

    @property
    def amount(self) -> int:
        """Quantity times price, in cents."""
        return self.quantity * self.price


INVOICE_SELLER = (
    "Harrow & Pell Instruments Ltd",
    "14 Larkspur Wharf",
    "Ostmere OM4 7TD",
    "billing@harrowpell.example",
)
INVOICE_BUYER = (
    "Skarrow Harbour Authority",
    "Attn. Accounts Payable",
    "The Old Signal House, Quay Street",
    "Skarrow SK1 2LN",
)
INVOICE_DELIVERY = ("Tide Station 3", "North Mole, Gate B", "Skarrow SK1 2LR")
INVOICE_FACTS = (
    ("Invoice number", "HP-2026-0418"),
    ("Invoice date", "18 March 2026"),
    ("Your order", "SHA/PO/77120"),
    ("Due date", "17 April 2026"),
)
INVOICE_ITEMS = (
    Item("Radar level sensor RL-26", "26 GHz, 15 m range, stainless housing", 2, 184500),
    Item("Mounting arm, galvanised", "1.2 m reach with tilt adjustment", 2, 21250),
    Item("Data logger DL-8", "8 channels, 4 GB storage, GPS clock", 1, 96800),
    Item("Solar panel 40 W with regulator", "Marine grade, 5 m cable", 1, 23990),
    Item("Sealed battery 12 V 28 Ah", "Two year service life", 2, 7425),
    Item("Sensor cable, shielded", "Price per metre", 35, 480),
    Item("Installation and levelling", "One technician, per hour on site", 12, 9500),
)
INVOICE_TAX_PERCENT = 20
INVOICE_SUBTOTAL = sum(item.amount for item in INVOICE_ITEMS)
INVOICE_TAX = INVOICE_SUBTOTAL * INVOICE_TAX_PERCENT // 100
INVOICE_TOTAL = INVOICE_SUBTOTAL + INVOICE_TAX
INVOICE_NOTE = (
    "Please quote the invoice number with your payment. Goods remain our property until paid in full. "
    "Calibration certificates for both sensors are enclosed with the delivery."
)
INVOICE_PAYMENT = (
    ("Bank", "Fernbrook Savings Bank"),
    ("Account", "0042 7719 3806"),
    ("Sort code", "00-17-42"),
)
INVOICE_FOOTER = "Harrow & Pell Instruments Ltd   ·   Registered in Ostmere, no. 0417 2290   ·   Tax no. OM 552 0184 61"


BANK = "Fernbrook Savings Bank"
BANK_ADDRESS = ("2 Minster Row, Ostmere OM1 1AA", "fernbrook.example   ·   0555 010 0199")
STATEMENT_HOLDER = ("Ms Imogen Tarrant", "Flat 6, 31 Cooper's Yard", "Ostmere OM2 9QF")
STATEMENT_FACTS = (
    ("Account", "Everyday Current"),
    ("Account number", "0081 4420 1975"),
    ("Period", "1 to 31 March 2026"),
    ("Statement", "No. 27, page 1 of 1"),
)
STATEMENT_OPENING = 284237
# (date, description, reference, cents: negative is paid out)
TRANSACTIONS = (
    ("01 Mar", "Standing order Quill Street Lettings", "RENT FLAT 6", -98500),
    ("01 Mar", "Direct debit Ostmere Council", "CT 4471902", -13642),
    ("02 Mar", "Card Larder & Vine Grocers", "CARD 2207", -4218),
    ("02 Mar", "Card Blue Heron Coffee", "CARD 2207", -385),
    ("03 Mar", "Direct debit Brightwater Energy", "BW 0093317", -8790),
    ("03 Mar", "Transfer from T. Okonjo", "DINNER FRIDAY", 2750),
    ("04 Mar", "Card Ostmere Metro", "CARD 2207", -1260),
    ("05 Mar", "Card Pennant Books", "CARD 2207", -1899),
    ("05 Mar", "Cash machine Minster Row", "ATM 0419", -6000),
    ("06 Mar", "Direct debit Lumen Broadband", "LB 77-20418", -3200),
    ("06 Mar", "Card Larder & Vine Grocers", "CARD 2207", -5671),
    ("07 Mar", "Card The Copper Kettle", "CARD 2207", -3440),
    ("08 Mar", "Card Redfern Cycles", "CARD 2207", -7825),
    ("09 Mar", "Direct debit Alder Mobile", "AM 5510086", -1500),
    ("09 Mar", "Card Blue Heron Coffee", "CARD 2207", -410),
    ("10 Mar", "Refund Pennant Books", "ORDER 88213", 1899),
    ("11 Mar", "Card Ostmere Metro", "CARD 2207", -1260),
    ("11 Mar", "Card Larder & Vine Grocers", "CARD 2207", -3987),
    ("12 Mar", "Direct debit Wren Mutual Insurance", "HOME 660132", -2175),
    ("13 Mar", "Card Palace Picture House", "CARD 2207", -2300),
    ("13 Mar", "Card Saffron Table", "CARD 2207", -5160),
    ("14 Mar", "Transfer to Savings Pot", "HOLIDAY", -15000),
    ("15 Mar", "Card Tallow & Wick", "CARD 2207", -2450),
    ("16 Mar", "Card Larder & Vine Grocers", "CARD 2207", -4833),
    ("16 Mar", "Card Blue Heron Coffee", "CARD 2207", -385),
    ("17 Mar", "Direct debit Riverside Pool and Gym", "MEMBER 1183", -3600),
    ("18 Mar", "Card Ostmere Metro", "CARD 2207", -1260),
    ("18 Mar", "Cheque paid in", "000317", 12000),
    ("19 Mar", "Card Halden Pharmacy", "CARD 2207", -1135),
    ("20 Mar", "Card Larder & Vine Grocers", "CARD 2207", -6120),
    ("20 Mar", "Card Northgate Garden Centre", "CARD 2207", -4275),
    ("21 Mar", "Transfer from T. Okonjo", "TRAIN TICKETS", 5840),
    ("21 Mar", "Card Coastline Rail", "CARD 2207", -11680),
    ("22 Mar", "Card The Gull's Rest Inn", "CARD 2207", -9450),
    ("23 Mar", "Card Harbour Fish Bar", "CARD 2207", -1890),
    ("24 Mar", "Card Blue Heron Coffee", "CARD 2207", -410),
    ("25 Mar", "Direct debit Clearstream Water", "CW 3108854", -2965),
    ("25 Mar", "Card Ostmere Metro", "CARD 2207", -1260),
    ("26 Mar", "Card Larder & Vine Grocers", "CARD 2207", -5046),
    ("27 Mar", "Salary Marchmont Survey Group", "PAYROLL MAR", 268415),
    ("27 Mar", "Transfer to Savings Pot", "MONTHLY", -40000),
    ("28 Mar", "Card Kestrel Outdoor", "CARD 2207", -12999),
    ("29 Mar", "Card Saffron Table", "CARD 2207", -4725),
    ("30 Mar", "Donation Lifeboat Fund", "MONTHLY GIFT", -1000),
    ("31 Mar", "Interest", "GROSS", 214),
)
STATEMENT_PAID_IN = sum(cents for *_, cents in TRANSACTIONS if cents > 0)
STATEMENT_PAID_OUT = -sum(cents for *_, cents in TRANSACTIONS if cents < 0)
STATEMENT_CLOSING = STATEMENT_OPENING + STATEMENT_PAID_IN - STATEMENT_PAID_OUT
STATEMENT_FOOTER = (
    "Please check this statement and tell us within 60 days if anything is not as you expect it.",
    "Fernbrook Savings Bank is a mutual society. Deposits are protected up to the statutory limit.",
)


DASHBOARD_NAME = "Northlight Freight"
DASHBOARD_MENU = ("Overview", "Shipments", "Exceptions", "Carriers", "Customers", "Invoices", "Reports", "Settings")
DASHBOARD_USER = ("Rosa Lindqvist", "Operations lead")
SHIPMENTS_PER_DAY = (
    ("Mon", 1384),
    ("Tue", 1452),
    ("Wed", 1397),
    ("Thu", 1518),
    ("Fri", 1606),
    ("Sat", 702),
    ("Sun", 353),
)
ON_TIME_BY_WEEK = (94.1, 94.6, 93.8, 92.9, 93.5, 94.8, 95.2, 94.9, 95.6, 96.0, 95.7, 96.3)
FIRST_WEEK = 1
# (shipment, customer, route, status, delay, cents at risk)
EXCEPTIONS = (
    ("NF-204817", "Calloway Ceramics", "Ostmere - Varn", "Customs hold", "2 d 4 h", 1248000),
    ("NF-204822", "Beckford & Daughters", "Lund Quay - Pell", "Address query", "1 d 2 h", 386550),
    ("NF-204861", "Juniper Lab Supply", "Ostmere - Kessing", "Cold chain alert", "0 d 3 h", 2790000),
    ("NF-204870", "Orrin Cycle Works", "Varn - Skarrow", "Missed transfer", "0 d 9 h", 514275),
    ("NF-204893", "Halden Pharmacy Group", "Kessing - Ostmere", "Damaged carton", "0 d 6 h", 197300),
    ("NF-204911", "Tallow & Wick", "Pell - Ostmere", "Missed transfer", "0 d 8 h", 84125),
    ("NF-204935", "Marchmont Survey Group", "Skarrow - Varn", "Customs hold", "3 d 1 h", 1935000),
)
SHIPMENTS = sum(count for _, count in SHIPMENTS_PER_DAY)
AT_RISK = sum(cents for *_, cents in EXCEPTIONS)
# (label, value, note, good)
DASHBOARD_CARDS = (
    ("Shipments this week", f"{SHIPMENTS:,}", "+4.2% on last week", True),
    ("On-time rate", f"{ON_TIME_BY_WEEK[-1]}%", "+0.6 points on last week", True),
    ("Open exceptions", f"{len(EXCEPTIONS)}", "3 more than yesterday", False),
    ("Value at risk", f"${money(AT_RISK)}", "in open exceptions", False),
)


MOBILE_SHOP = "Larder & Vine"
MOBILE_STEPS = ("Packed", "On the way", "Delivered")
MOBILE_ITEMS = (
    Item("Sourdough loaf", "800 g, sliced", 1, 420),
    Item("Vine tomatoes", "6 pack", 2, 215),
    Item("Free range eggs", "Box of 12", 1, 385),
    Item("Oat milk, unsweetened", "1 litre", 3, 190),
    Item("Goat's cheese", "150 g", 1, 345),
    Item("Ground coffee", "Dark roast, 250 g", 2, 560),
)
MOBILE_SUBTOTAL = sum(item.amount for item in MOBILE_ITEMS)
MOBILE_DELIVERY = 250
MOBILE_DISCOUNT = -300
MOBILE_TOTAL = MOBILE_SUBTOTAL + MOBILE_DELIVERY + MOBILE_DISCOUNT
MOBILE_TABS = ("Home", "Search", "Orders", "Account")
