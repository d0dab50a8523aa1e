"""The table: every row of both versions."""

from __future__ import annotations

from regress.interop.ikev1_rows import IKEV1
from regress.interop.ikev2_rows import IKEV2

SCENARIOS = [*IKEV1, *IKEV2]
