"""The table: every row of both versions."""

from __future__ import annotations

from regress.interop.ikev1_rows import IKEV1
from regress.interop.ikev2_rows import IKEV2, KEY_EXCHANGES
from regress.interop.scenario import Role

SCENARIOS = [*IKEV1, *IKEV2]
# These are played with strongSwan 6, by isakmpd's role.
WITH_6 = KEY_EXCHANGES
PAIRS_6 = {Role.INITIATOR.value: "isakmpd-charon6", Role.RESPONDER.value: "charon6-isakmpd"}
