"""``python -m pixtrim`` is the command ``pixtrim``."""

from __future__ import annotations

import sys

from pixtrim.cli import main

if __name__ == "__main__":
    sys.exit(main())
