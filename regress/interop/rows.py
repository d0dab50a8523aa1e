"""The table: every row of both versions."""

from __future__ import annotations

from regress.interop.ikev1_rows import IKEV1
from regress.interop.ikev2_rows import IKEV2, KEY_EXCHANGES

SCENARIOS = [*IKEV1, *IKEV2]
# These are played with strongSwan 6.
WITH_6 = KEY_EXCHANGES
