"""The initial exchanges of IKEv2 between two daemons, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from regress.pair import EAST, WEST, Network, agree, both, connected, up

V2 = {"peer_tags": "Key-exchange= ikev2"}


def test_two_daemons_make_an_ike_sa_and_a_child_sa() -> None:
    _, west, east = up(*both(**V2))
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert not west.reasons()
    assert not east.reasons()
