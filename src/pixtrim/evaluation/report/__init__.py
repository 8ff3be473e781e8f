"""The report of an evaluation: one HTML file that needs nothing else, and a folder with every pair of pictures.

`write_report` is what there is to call. `tables` and `cases` say what is shown, `plots` and `pairs` draw it, and
``page.html.j2`` with its style sheet and script puts it on a page.
"""

from pixtrim.evaluation.report.pairs import Pictures
from pixtrim.evaluation.report.write import write_report

__all__ = ["Pictures", "write_report"]
