"""Draw the example pictures, with Pillow alone.

::

    python examples/make_examples.py [OUTDIR]

writes invoice, statement, two_columns, dashboard and mobile into OUTDIR (examples/out): each as NAME.png, and the text
that it shows as NAME.txt. The same Pillow writes the same bytes on every machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from documents import invoice, statement, two_columns
from screens import dashboard, mobile

PICTURES = (invoice, statement, two_columns, dashboard, mobile)


def main(arguments: list[str]) -> int:
    """Write all pictures into the folder that the one argument names."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print("usage: python examples/make_examples.py [OUTDIR]", file=sys.stderr)
        return 2
    folder = Path(arguments[0]) if arguments else Path(__file__).resolve().parent / "out"
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        page = picture()
        page.save(folder, picture.__name__)
        print(f"{folder / picture.__name__}.png  {page.image.width}x{page.image.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
