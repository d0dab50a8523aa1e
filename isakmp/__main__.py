"""isakmpd, as it is called. Signals wait from here on: to read all that it needs takes a while."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from isakmp.patience import patience


def main(argv: Sequence[str] | None = None) -> int:
    """What start() says."""
    with patience():
        from isakmp.start import start

        return start(argv)


if __name__ == "__main__":
    sys.exit(main())
