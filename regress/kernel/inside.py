"""Play rows in the guest: a line for each, and what became of them in a file.

python -m regress.kernel.inside REPORT KEPT NAME@PAIR...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from regress.interop.scenario import Stack
from regress.interop.table import one
from regress.kernel.rows import TABLES, key


def main(arguments: list[str]) -> int:
    """0, whatever became of the rows; the report is complete up to the row under way."""
    report, kept, *names = arguments
    rows = {key(row): row for table in TABLES.values() for row in table}
    results = []
    for name in names:
        row, pair = rows[name]
        results.append(one(row, pair, stack=Stack.KERNEL, kept=Path(kept)))
        Path(report).write_text(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
