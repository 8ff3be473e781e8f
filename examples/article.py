"""The text of the two-column example page: an invented report about an invented harbour."""

from __future__ import annotations

HEADER = ("Coastal Measurement Notes", "Number 12, Spring 2026")
TITLE = "Keeping a Tide Gauge Honest for Forty Years"
AUTHORS = "M. Adeyemi-Roth, L. Tarrant and J. Brandvold"
AFFILIATION = "Skarrow Harbour Authority, Hydrographic Office"
ABSTRACT = (
    "A tide gauge is simple to install and hard to trust. We describe how the gauge on the North Mole at Skarrow was "
    "kept on one datum from 1986 to 2025 through two changes of instrument, a rebuilt quay and a slowly sinking "
    "pier, and which checks found the errors that mattered."
)
# A heading is one line; everything else is a paragraph. FIGURE stands where the figure goes.
FIGURE = "FIGURE"
SECTIONS = (
    (
        "1. Why small errors matter",
        "Ships need the height of the water now, to the nearest decimetre. Builders of sea walls need its extremes "
        "over decades, and anyone who asks whether the sea is rising needs its mean to a few millimetres. One record "
        "has to serve all three. An error of two centimetres is of no interest to a pilot, yet it is as large as the "
        "rise of the sea in six or seven years.",
        "Such errors seldom come from the sensor itself. They come from the ground that the sensor stands on, from "
        "the clock beside it, and from the people who move it. The history of a gauge is therefore worth as much as "
        "its readings, and it has to be written down when it happens.",
    ),
    (
        "2. The station",
        "The first gauge was a float in a stilling well, a vertical pipe with a small hole near the bottom. The hole "
        "lets the tide in and keeps the waves out. A wire led from the float to a pen on a drum, and once a week an "
        "observer changed the paper, set the clock and read the tide staff.",
        "In 2003 a pressure sensor took over, and in 2017 a radar that looks down on the open water from an arm. At "
        "each change both instruments ran side by side for at least fourteen months, long enough to see every season "
        "and the large tides of two springs.",
        "The radar has no parts in the water and nothing that weed can close. What it measures is the distance to a "
        "moving surface, so it takes four readings a second and keeps the mean of every minute.",
    ),
    (
        "3. Three kinds of error",
        "Datum. The zero of the gauge is tied to five bench marks on solid rock and on old buildings. Levelling "
        "every spring showed that the pier sank by 0.9 mm a year until the repair of 2009, and not at all since. "
        "Without the levels, a sixth of the apparent rise would have been the pier.",
        "Time. Until 1998 the clock was set by hand. A clock that is ten minutes late moves the curve sideways, "
        "which the eye does not see. The residual shows it at once: it swings with the tide, largest where the water "
        "rises fastest, and vanishes at high and low water.",
        "Scale. Weed and mussels closed the hole of the well twice, in 1991 and again in 2000. The range shrank by "
        "four per cent before anyone noticed. A monthly comparison with the staff at high and at low water now takes "
        "ten minutes and would find it within a few weeks.",
    ),
    (
        "4. The record as a whole",
        "Figure 1 shows the yearly means after all corrections. The straight line rises by 2.8 mm a year. Single "
        "years leave it by up to three centimetres, mostly with the wind and the pressure of the air: a fall of one "
        "hectopascal lets the sea rise by about one centimetre.",
        FIGURE,
        "Each correction was tested by leaving it out. Only the sinking of the pier changed the slope; clock and "
        "scale errors averaged out of the means but spoiled the extremes, which is where a designer looks first.",
    ),
    (
        "5. Extremes",
        "The highest water of the record came in the night of 11 January 2005, 1.62 m above the tide that was "
        "predicted for the hour. The pen of the old float, kept as a second instrument, left its drum and drew on "
        "the case; the line was measured there the next day. Pressure sensor and float agreed to two centimetres.",
        "From the forty highest hours, one for each year, we estimate that a level of 6.9 m is reached once in fifty "
        "years. The estimate moved by eleven centimetres when the four years with a late clock were repaired.",
    ),
    (
        "6. What we would do again",
        "Level every year, even when nothing seems to have moved. Keep the old instrument running beside the new "
        "one. Compare with the staff by eye, at both ends of the tide, because a second sensor may share the faults "
        "of the first. Write down who did what, and when, on paper that stays at the station.",
        "Give every file the name of its station and its first hour in universal time. Never overwrite a raw "
        "reading; write corrections in a second column with a third for the reason.",
        "None of this is costly. The forty levelling runs together took fewer than sixty working days, and they are "
        "the reason why the record can be used at all.",
    ),
)
REFERENCES = (
    "[1] Skarrow Harbour Authority. Station log of the North Mole gauge, volumes 1 to 9, 1986 to 2025.",
    "[2] Adeyemi-Roth, M. Levelling on moving ground. Coastal Measurement Notes 7, 2021.",
    "[3] Brandvold, J. Clocks, floats and fouling. Coastal Measurement Notes 9, 2023.",
)
PAGE = "41"

FIGURE_CAPTION = "Figure 1. Yearly mean sea level at Skarrow above the station datum, corrected, with the fitted line."
FIGURE_YEARS = (1986, 2025)
FIGURE_SLOPE = 2.8  # millimetres a year
# Millimetres that each year's mean lies above or below the straight line.
FIGURE_RESIDUALS = (
    4, -11, -6, 18, 27, 3, -9, -22, 8, 15, -28, -13, 2, 11, 20, 6, -4, -24, -8, 5,
    14, 19, -3, -12, -29, 1, 9, -7, 23, 13, -5, -16, 6, 17, 28, -2, -14, 7, -9, 3,
)  # fmt: skip
