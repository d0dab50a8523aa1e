"""MACs and prfs made of AES, against the RFCs' figures."""

from __future__ import annotations

import pytest

from isakmp.constants import ikev2
from isakmp.crypto.prf import get_prf_v2
from regress.crypto.vectors import label, published

PRFS = {"xcbc": ikev2.Prf.AES128_XCBC, "cmac": ikev2.Prf.AES128_CMAC}


@pytest.mark.parametrize("block", published("aes_mac.txt"), ids=label)
def test_figures_of_the_rfcs(block: dict[str, str]) -> None:
    """RFC 4434, 4493 and 4615."""
    prf = get_prf_v2(PRFS[block["mac"]])
    data = bytes.fromhex(block["data"])
    assert prf(bytes.fromhex(block["key"]), data).hex() == block["result"]
    half = len(data) // 2
    assert prf(bytes.fromhex(block["key"]), data[:half], data[half:]).hex() == block["result"]
    assert (prf.size, prf.key_size, prf.fixed_key) == (16, 16, True)
