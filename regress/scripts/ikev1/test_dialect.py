"""What IKEv1 does its own way: message IDs, sealing, and what its messages are found by."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from isakmp.errors import MalformedPayload
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Outgoing
from isakmp.message import HEADER_SIZE, Header, parse_header
from regress.pair import WEST, Host, Network, up

HASH, NONCE, VENDOR = 8, 10, 13


def ended() -> tuple[Network, Host, Host, Any]:
    """Both are up; west's dialect."""
    net, west, east = up()
    return net, west, east, west.daemon.engine.dialects["ikev1"]


def begun(host: Host) -> Exchange:
    """A probe of the host's, that is on its way."""
    (sa,) = host.daemon.sas.isakmp.values()
    engine: Any = host.daemon.engine
    before = dict(engine.exchanges)
    exchange: Exchange = engine.dialects["ikev1"].tell(engine, sa, [(VENDOR, b"who")])
    assert exchange not in before.values()
    return exchange


def test_message_ids_are_random_not_zero_and_used_once() -> None:
    """RFC 2408 3.1."""
    _, west, _, dialect = ended()
    exchange, engine = begun(west), west.daemon.engine
    used = exchange.message_id
    draws = iter((bytes(4), used.to_bytes(4, "big"), b"\0\0\0\7", b"\0\0\0\7", b"\0\0\0\x08"))
    engine.random = lambda size: next(draws)
    assert dialect.message_id(exchange) == 7, "neither 0 nor one that was used"
    assert dialect.message_id(exchange) == 8


def test_phase_1_has_no_message_id() -> None:
    west = Network().host(WEST)
    west.daemon.start()
    (exchange,) = west.daemon.engine.exchanges.values()
    assert exchange.sa is None and exchange.message_id == 0
    assert exchange.dialect.message_id(exchange) == 0
    assert exchange.dialect.key(exchange) == ("ikev1", exchange.cky_i, 0)


def test_what_is_asked_for_is_encrypted_in_whole_blocks_and_chained() -> None:
    """RFC 2409 appendix B: the last block of a message is the IV of the next."""
    _, west, _, dialect = ended()
    exchange = begun(west)
    message = Outgoing([(NONCE, b"n" * 16)], protected=True)
    exchange.protection = b""
    (data,) = dialect.seal(exchange, message)
    header = parse_header(data)
    assert header.flags & 1 and header.next_payload == NONCE
    assert header.message_id == exchange.message_id
    assert (len(data) - HEADER_SIZE) % 16 == 0 and b"n" * 16 not in data
    assert exchange.protection == data[-16:]
    keys: Any = exchange.sa and exchange.sa.keys
    opened = keys.decrypt(keys.phase_2_iv(exchange.message_id), data[HEADER_SIZE:])
    assert opened[0].startswith(bytes((0, 0, 0, 20)) + b"n" * 16)


def test_the_hash_goes_first_and_covers_the_rest() -> None:
    """RFC 2409 5.5."""
    _, west, _, dialect = ended()
    exchange, covered = begun(west), list[bytes]()

    def hash_over(rest: bytes) -> bytes:
        covered.append(rest)
        return b"h" * 20

    message = Outgoing([(NONCE, b"n" * 16)], hash_over=hash_over)
    (data,) = dialect.seal(exchange, message)
    assert parse_header(data).next_payload == HASH
    assert data[HEADER_SIZE:] == bytes((NONCE, 0, 0, 24)) + b"h" * 20 + covered[0]
    assert covered == [bytes((0, 0, 0, 20)) + b"n" * 16]


def test_the_same_datagram_goes_again() -> None:
    """RFC 2408 5.1."""
    _, west, _, dialect = ended()
    exchange = begun(west)
    assert exchange.last_out and dialect.again(exchange) is exchange.last_out


def test_another_version_has_no_answer() -> None:
    _, west, _, dialect = ended()
    header = Header(b"initiate", bytes(8), 1, 3, 0, 2, 0, 0, HEADER_SIZE)
    (sa,) = west.daemon.sas.isakmp.values()
    with pytest.raises(MalformedPayload, match="major version 3"):
        dialect.unspoken(west.daemon.engine, sa.path, header)


def test_nothing_ends_an_isakmp_sa_but_what_says_so() -> None:
    _, west, _, dialect = ended()
    exchange = begun(west)
    assert not dialect.ends_sa(exchange) and not dialect.awaited(exchange)
    assert dialect.may_begin(exchange.sa) and dialect.next_leg(exchange)


def test_our_cookie_is_ours_alone() -> None:
    """RFC 2408 2.5.3."""
    _, west, _, dialect = ended()
    west.daemon.engine.random = Random(3).randbytes
    drawn = {dialect.identifiers(west.daemon.engine.new_cookie) for _ in range(50)}
    assert len(drawn) == 50
    assert all(len(ours) == 8 and any(ours) and theirs == bytes(8) for ours, theirs in drawn)
