"""A row of its own: ike-scan, which knows an IKE daemon by how it answers a single message."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from regress.interop.end import Failure
from regress.interop.isakmpd import Isakmpd
from regress.interop.namespace import SetupFailure, wire
from regress.interop.scenario import PLAIN, Role, Scenario, Side
from regress.interop.site import sites

NAME = "v2-ike-scan"
# It proposes 3DES and AES with SHA1 and MD5; the group is ours to say.
_TAKES = Side("3des-sha1-modp2048")
_REFUSES = Side("aes128-sha256-x25519")


def scan() -> None:
    """ike-scan finds a responder that takes what it proposes, and one that does not."""
    if not shutil.which("ike-scan"):
        raise SetupFailure("needs ike-scan: run tools/setup-peers")
    _expect(_TAKES, r"IKEv2 SA_INIT Handshake returned\s.*\bDH_Group=14")
    _expect(_REFUSES, r"NO_PROPOSAL_CHOSEN|Notify message 14\b")


def _expect(side: Side, pattern: str) -> None:
    row = Scenario(NAME, version=2, sides=(PLAIN, side))
    site = sites(row)[1]
    with wire(nat=False) as (a, b), tempfile.TemporaryDirectory(prefix="interop-") as folder:
        end = Isakmpd(row, Role.RESPONDER, site, b, Path(folder) / site.name)
        try:
            end.launch()
            end.ready()
            said = a.run("ike-scan", "--ikev2", "-M", "--dhgroup=14", site.address).stdout
            if not re.search(pattern, said, re.S):
                raise Failure(f"ike-scan does not say {pattern!r}: {said}\n{end.log()}")
            end.stop()
        finally:
            end.kill()
