"""The keys of an IKE SA and what is made with them: RFC 7296 2.13 to 2.18 and 3.14."""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.chosen import ChosenIkev2
from isakmp.crypto import skeyseed
from isakmp.crypto.prf import Prf, get_prf_v2
from isakmp.crypto.sk import Sk, sk_cipher
from isakmp.crypto.skeyseed import SkKeys
from isakmp.log.keylog import KeyLog
from isakmp.sa import IsakmpSa


@dataclass(slots=True)
class Keys:
    """What protects one IKE SA. seals: our messages; opens: the peer's; earlier: those before,
    while it is in the making, the oldest first (RFC 9370 2.2.2)."""

    prf: Prf
    sk: SkKeys = field(repr=False)
    seals: Sk = field(repr=False)
    opens: Sk = field(repr=False)
    earlier: tuple[Keys, ...] = field(default=(), repr=False)

    def record(self, key_log: KeyLog, sa: IsakmpSa) -> None:
        """Write what Wireshark needs, of the earlier ones, too."""
        chosen = sa.chosen
        if isinstance(chosen, ChosenIkev2):
            for keys in (*self.earlier, self):
                key_log.ikev2(sa.cky_i, sa.cky_r, keys.sk, chosen.encryption, chosen.key_bits,
                              chosen.integ)  # fmt: skip


def derive(
    chosen: ChosenIkev2, seed: bytes, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes, *,
    initiator: bool,
) -> Keys:  # fmt: skip
    """Every key of an IKE SA out of SKEYSEED (RFC 7296 2.14). CryptoError for an unknown
    algorithm."""
    prf = get_prf_v2(chosen.prf)
    cipher = sk_cipher(chosen.encryption, chosen.key_bits, chosen.integ)
    sk = skeyseed.derive(prf, seed, ni, nr, spi_i, spi_r, cipher.enc_size, cipher.integ_size)
    ours, theirs = cipher.bind(sk.ei, sk.ai), cipher.bind(sk.er, sk.ar)
    if not initiator:
        ours, theirs = theirs, ours
    return Keys(prf, sk, ours, theirs)
