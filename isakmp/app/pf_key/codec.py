"""PF_KEYv2 messages to values and back: RFC 2367 2, with KAME's, FreeBSD's and our extensions.

In struct, with one compiled format per structure: with an engine in a process of its own some
twenty of these stand in the path of a handshake. A message is parsed in two steps: parse() walks
header and extensions, and checks every length; a read_ function then takes the one extension that
is asked for. Integers are in the host's order, SPIs, ports and addresses in the network's.
Sockaddrs are those of Linux (no sa_len). Offsets in errors count from the start of the message, or
of the extension once it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from socket import AF_INET, AF_INET6, htons, ntohs
from struct import Struct
from typing import NamedTuple

from isakmp.app.pf_key.algorithms import Algorithm
from isakmp.app.pf_key.constants import ANY_PROTOCOL, PF_KEY_V2, Dir, Ext
from isakmp.errors import MalformedPayload
from isakmp.policy.spd import Address, Network, Selector, make_address, make_network

HEADER_SIZE = 16
MAX_MESSAGE = 65535
"""Octets of the longest message that is read or written; no message of ours comes near it."""
MAX_TEXT = 240

_HEADER = Struct("=BBBBHHII")
_EXT = Struct("=HH")
_HALF = Struct("=H")
_WORD = Struct("=I")
_SA = Struct("=HH4sBBBBI")
_LIFETIME = Struct("=HHIQQQ")
_ADDRESS_4 = Struct("=HHBBHHH4s8x")
_ADDRESS_6 = Struct("=HHBBHHH4x16s4x4x")
_KEY = Struct("=HHHH")
_SUPPORTED = Struct("=HH4x")
_ALGORITHM = Struct("=BBHH2x")
_PROPOSAL = Struct("=HHB3x")
_SPIRANGE = Struct("=HHII4x")
_SA2 = Struct("=HHBBHII")
_POLICY = Struct("=HHHBBII")
_REQUEST = Struct("=HHBBHII")
_SOCKADDR_4 = Struct("=H2s4s8x")
_SOCKADDR_6 = Struct("=H2s4x16s4x")
_NAT_T_TYPE = Struct("=HHB3x")
_NAT_T_PORT = Struct("=HH2s2x")
_REPLAY = Struct("=HHI")
_SELECTORS = Struct("=HHB3x")
_SELECTOR = Struct("=BBBBB3xHHHH16s16s")
_PORTS = Struct("=HHBxHH6x")
_STATISTICS = Struct("=HH4xQQQQQQ")

Exts = dict[int, bytes]


class Message(NamedTuple):
    """A parsed message; exts: each extension whole, its length and type included."""

    type: int
    errno: int
    satype: int
    seq: int
    pid: int
    exts: Exts


class Sa(NamedTuple):
    """sadb_sa, RFC 2367 2.3.1."""

    spi: int
    replay: int = 0
    state: int = 0
    auth: int = 0
    encrypt: int = 0
    flags: int = 0


class Lifetime(NamedTuple):
    """sadb_lifetime, RFC 2367 2.3.2."""

    allocations: int = 0
    octets: int = 0
    addtime: int = 0
    usetime: int = 0


class SockAddress(NamedTuple):
    """sadb_address, RFC 2367 2.3.3; protocol 0: any, whichever way it was written."""

    address: Address
    protocol: int = 0
    prefixlen: int = 0
    port: int = 0


class Sa2(NamedTuple):
    """sadb_x_sa2; in SADB_ACQUIRE sequence is the policy's id."""

    mode: int
    reqid: int = 0
    sequence: int = 0


class Request(NamedTuple):
    """sadb_x_ipsecrequest: one protocol of a policy; src and dst: a tunnel's end points."""

    protocol: int
    mode: int
    level: int
    reqid: int = 0
    src: Address | None = None
    dst: Address | None = None


class Policy(NamedTuple):
    """sadb_x_policy with its requests."""

    type: int
    dir: int
    id: int = 0
    priority: int = 0
    requests: tuple[Request, ...] = ()


class Statistics(NamedTuple):
    """What an SA has carried, as our X_STATISTICS has it; times in milliseconds."""

    packets: int
    octets: int
    replays: int
    auth_failures: int
    age_ms: int
    idle_ms: int


def _bad(what: str, offset: int, reason: str, section: str = "2.3") -> MalformedPayload:
    return MalformedPayload(what, offset, reason, f"RFC 2367 {section}")


def message(type: int, satype: int, seq: int, pid: int, body: bytes = b"", errno: int = 0) -> bytes:
    """A whole message; ``body`` is its extensions, each a multiple of 8 octets."""
    words = (HEADER_SIZE + len(body)) // 8
    return _HEADER.pack(PF_KEY_V2, type, errno, satype, words, 0, seq, pid) + body


def read_header(data: bytes) -> Message:
    """The header alone, whatever follows it: to name a request that is refused."""
    if len(data) < HEADER_SIZE:
        raise _bad("sadb_msg", 0, f"{len(data)} octets are no header", "2.1")
    version, type, errno, satype, _, _, seq, pid = _HEADER.unpack_from(data)
    if version != PF_KEY_V2:
        raise _bad("sadb_msg", 0, f"version {version}", "2.1")
    return Message(type, errno, satype, seq, pid, {})


def parse(data: bytes, head: Message | None = None) -> Message:
    """Header and extensions, all lengths checked. MalformedPayload where one is wrong.

    head: the header, where it has been read. An extension that comes twice is an error (RFC 2367
    2.3); unknown ones are kept, unread.
    """
    found = head or read_header(data)
    size, offset, exts, walk = len(data), HEADER_SIZE, found.exts, _EXT.unpack_from
    if (words := _HALF.unpack_from(data, 4)[0]) * 8 != size:
        raise _bad("sadb_msg", 4, f"length {words * 8} of a message of {size} octets", "2.1")
    while offset < size:
        words, ext = walk(data, offset)
        if ext in exts or not ext:
            raise _misplaced(ext, offset, words * 8, size)
        # One of no length is seen as one that comes twice.
        begin, offset = offset, offset + words * 8
        exts[ext] = data[begin:offset]
    if offset > size:
        raise _misplaced(ext, begin, words * 8, size)
    return found


def _misplaced(ext: int, offset: int, length: int, size: int) -> MalformedPayload:
    if not 0 < length <= size - offset:
        return _bad(f"extension {ext}", offset, f"length {length}")
    return _bad(f"extension {ext}", offset, "comes twice" if ext else "is reserved")


def _take(exts: Exts, ext: Ext, least: int) -> bytes:
    """The extension ``ext``, of at least ``least`` octets."""
    data = exts.get(ext)
    if data is None:
        raise _bad(ext.name, 0, "is missing")
    if len(data) < least:
        raise _bad(ext.name, 0, f"{len(data)} octets, {least} needed")
    return data


def sa(value: Sa) -> bytes:
    """sadb_sa."""
    spi, replay, state, auth, encrypt, flags = value
    return _SA.pack(2, Ext.SA, spi.to_bytes(4, "big"), replay, state, auth, encrypt, flags)


def read_sa(exts: Exts) -> Sa:
    """sadb_sa."""
    _, _, spi, replay, state, auth, encrypt, flags = _SA.unpack_from(_take(exts, Ext.SA, 16))
    return Sa(int.from_bytes(spi, "big"), replay, state, auth, encrypt, flags)


def lifetime(ext: Ext, value: Lifetime) -> bytes:
    """sadb_lifetime of the kind ``ext``."""
    return _LIFETIME.pack(4, ext, *value)


def read_lifetime(exts: Exts, ext: Ext) -> Lifetime:
    """sadb_lifetime of the kind ``ext``; all zero where there is none."""
    if ext not in exts:
        return Lifetime()
    return Lifetime(*_LIFETIME.unpack_from(_take(exts, ext, 32))[2:])


def address(
    ext: Ext, where: Address, protocol: int = 0, prefixlen: int = 0, port: int = 0
) -> bytes:
    """sadb_address of the kind ``ext``."""
    number = htons(port)
    if where.version == 4:
        return _ADDRESS_4.pack(3, ext, protocol, prefixlen, 0, AF_INET, number, where.packed)
    return _ADDRESS_6.pack(5, ext, protocol, prefixlen, 0, AF_INET6, number, where.packed)


def _sockaddr_of(exts: Exts, ext: Ext) -> tuple[bytes, int, int, int]:
    """Of a sadb_address: the address in 4 or 16 octets, protocol, prefix length, port."""
    data = exts.get(ext, b"")
    if len(data) < 24:
        raise _bad(ext.name, 0, f"{len(data)} octets, 24 needed", "2.3.3")
    _, _, protocol, prefixlen, _, family, port, packed = _ADDRESS_4.unpack_from(data)
    if family == AF_INET6 and len(data) >= 40:
        packed = _ADDRESS_6.unpack_from(data)[-1]
    elif family != AF_INET:
        raise _bad(ext.name, 8, f"family {family} in {len(data)} octets", "2.3.3")
    if prefixlen > len(packed) * 8:
        raise _bad(ext.name, 5, f"prefix of {prefixlen} bits", "2.3.3")
    return packed, 0 if protocol == ANY_PROTOCOL else protocol, prefixlen, ntohs(port)


def read_address(exts: Exts, ext: Ext) -> SockAddress:
    """sadb_address of the kind ``ext``."""
    packed, protocol, prefixlen, port = _sockaddr_of(exts, ext)
    return SockAddress(make_address(packed), protocol, prefixlen, port)


def addresses(src: Address, dst: Address) -> bytes:
    """The end points of an SA."""
    return address(Ext.ADDRESS_SRC, src) + address(Ext.ADDRESS_DST, dst)


def read_addresses(exts: Exts) -> tuple[Address, Address]:
    """The end points of an SA, of one family."""
    src, dst = _sockaddr_of(exts, Ext.ADDRESS_SRC)[0], _sockaddr_of(exts, Ext.ADDRESS_DST)[0]
    if len(src) != len(dst):
        raise _bad("ADDRESS_DST", 8, "not of the source's family", "2.3.3")
    return make_address(src), make_address(dst)


def traffic(selector: Selector) -> bytes:
    """A policy's selector: source and destination with prefix, protocol and port; and X_PORTS."""
    src, dst, protocol, src_port, dst_port, *_ = selector
    upper = protocol or ANY_PROTOCOL
    return (
        address(Ext.ADDRESS_SRC, src.network_address, upper, src.prefixlen, src_port)
        + address(Ext.ADDRESS_DST, dst.network_address, upper, dst.prefixlen, dst_port)
        + last_ports(selector)
    )


def read_traffic(exts: Exts) -> Selector:
    """A policy's selector; bits behind the prefix are cleared."""
    src, protocol, src_len, src_port = _sockaddr_of(exts, Ext.ADDRESS_SRC)
    dst, protocol_2, dst_len, dst_port = _sockaddr_of(exts, Ext.ADDRESS_DST)
    if len(src) != len(dst):
        raise _bad("ADDRESS_DST", 8, "not of the source's family", "2.3.3")
    protocol = protocol or protocol_2
    lasts = _read_last_ports(exts)
    return _selector(src, src_len, dst, dst_len, protocol, src_port, dst_port, *lasts)


@lru_cache(1024)
def _selector(
    src: bytes, src_len: int, dst: bytes, dst_len: int, protocol: int, src_port: int,
    dst_port: int, src_last: int | None, dst_last: int | None,
) -> Selector:  # fmt: skip
    """One object for an SA and its policy."""
    ends = make_network(src, src_len, False), make_network(dst, dst_len, False)
    return Selector(*ends, protocol, src_port, dst_port, src_last, dst_last)


def last_ports(value: Selector) -> bytes:
    """Our X_PORTS: the last ports of a selector's ranges; nothing where it has none.

    Octets: length, type, whose last port is there (1 the source's, 2 the destination's), a zero,
    two ports, six zeros.
    """
    src, dst = value.src_last, value.dst_last
    given = _given(src, dst)
    return _PORTS.pack(2, Ext.X_PORTS, given, src or 0, dst or 0) if given else b""


def _given(src_last: int | None, dst_last: int | None) -> int:
    return (src_last is not None) | (dst_last is not None) << 1


def _lasts(given: int, src_last: int, dst_last: int) -> tuple[int | None, int | None]:
    return src_last if given & 1 else None, dst_last if given & 2 else None


def _read_last_ports(exts: Exts) -> tuple[int | None, int | None]:
    if Ext.X_PORTS not in exts:
        return None, None
    return _lasts(*_PORTS.unpack_from(_take(exts, Ext.X_PORTS, 16))[2:])


def key(ext: Ext, value: bytes) -> bytes:
    """sadb_key of the kind ``ext``, whole octets; nothing where the key is empty."""
    if not value:
        return b""
    padding = -len(value) % 8
    return (
        _KEY.pack((8 + len(value) + padding) // 8, ext, len(value) * 8, 0) + value + bytes(padding)
    )


def read_key(exts: Exts, ext: Ext) -> bytes:
    """The octets of a key; empty where there is no such extension."""
    if ext not in exts:
        return b""
    data = exts[ext]
    bits: int = _KEY.unpack_from(data)[2]
    if not bits or bits % 8 or 8 + bits // 8 > len(data):
        raise _bad(ext.name, 4, f"a key of {bits} bits in {len(data)} octets", "2.3.4")
    return data[8 : 8 + bits // 8]


def supported(ext: Ext, algorithms: list[Algorithm]) -> bytes:
    """sadb_supported of the kind ``ext``."""
    body = b"".join(_ALGORITHM.pack(*algorithm) for algorithm in algorithms)
    return _SUPPORTED.pack(1 + len(algorithms), ext) + body


def read_supported(exts: Exts, ext: Ext) -> list[Algorithm]:
    """The algorithms of the kind ``ext`` that the stack has."""
    return [Algorithm(*fields) for fields in _ALGORITHM.iter_unpack(exts.get(ext, b"")[8:])]


def proposal(replay: int) -> bytes:
    """sadb_prop without a combination: the policy of the key manager decides."""
    return _PROPOSAL.pack(1, Ext.PROPOSAL, replay)


def spi_range(low: int, high: int) -> bytes:
    """sadb_spirange, both inclusive."""
    return _SPIRANGE.pack(2, Ext.SPIRANGE, low, high)


def read_spi_range(exts: Exts) -> tuple[int, int]:
    """Lowest and highest acceptable SPI; all that there are where nothing is said (3.1.1)."""
    if Ext.SPIRANGE not in exts:
        return 0, 0xFFFFFFFF
    _, _, low, high = _SPIRANGE.unpack_from(_take(exts, Ext.SPIRANGE, 16))
    if low > high:
        raise _bad("SPIRANGE", 4, f"{low:#x} to {high:#x}", "2.3.9")
    return low, high


def sa2(value: Sa2) -> bytes:
    """sadb_x_sa2."""
    return _SA2.pack(2, Ext.X_SA2, value.mode, 0, 0, value.sequence, value.reqid)


def read_sa2(exts: Exts) -> Sa2:
    """sadb_x_sa2; all zero (any mode) where there is none."""
    if Ext.X_SA2 not in exts:
        return Sa2(0)
    _, _, mode, _, _, sequence, reqid = _SA2.unpack_from(_take(exts, Ext.X_SA2, 16))
    return Sa2(mode, reqid, sequence)


def policy(value: Policy) -> bytes:
    """sadb_x_policy with its requests."""
    body = b"".join([_request(request) for request in value.requests])
    words = 2 + len(body) // 8
    return _POLICY.pack(words, Ext.X_POLICY, *value[:2], 0, value.id, value.priority) + body


def _request(value: Request) -> bytes:
    protocol, mode, level, reqid, src, dst = value
    ends = b"" if src is None or dst is None else _sockaddr(src) + _sockaddr(dst)
    return _REQUEST.pack(16 + len(ends), protocol, mode, level, 0, reqid, 0) + ends


def _sockaddr(where: Address) -> bytes:
    if where.version == 4:
        return _SOCKADDR_4.pack(AF_INET, bytes(2), where.packed)
    return _SOCKADDR_6.pack(AF_INET6, bytes(2), where.packed)


def read_policy(exts: Exts) -> Policy:
    """sadb_x_policy with its requests, as many as its length says."""
    data = _take(exts, Ext.X_POLICY, 16)
    _, _, type, direction, _, number, priority = _POLICY.unpack_from(data)
    requests, offset = [], 16
    while offset < len(data):
        if len(data) - offset < 16:
            raise _bad("X_POLICY", offset, "a piece of a request")
        length, protocol, mode, level, _, reqid, _ = _REQUEST.unpack_from(data, offset)
        if length < 16 or offset + length > len(data) or length % 8:
            raise _bad("X_POLICY", offset, f"a request of {length} octets")
        ends = _read_ends(data, offset + 16, length - 16)
        requests.append(Request(protocol, mode, level, reqid, *ends))
        offset += length
    return Policy(type, direction, number, priority, tuple(requests))


def read_policy_id(exts: Exts) -> int:
    """The id alone."""
    number: int = _POLICY.unpack_from(_take(exts, Ext.X_POLICY, 16))[5]
    return number


def with_policy_id(exts: Exts, number: int) -> bytes:
    """sadb_x_policy as it came, with an id."""
    data = _take(exts, Ext.X_POLICY, 16)
    return data[:8] + _WORD.pack(number) + data[12:]


def _read_ends(data: bytes, offset: int, size: int) -> tuple[Address | None, Address | None]:
    """A tunnel's two sockaddrs, or none."""
    if not size:
        return None, None
    if size == 2 * _SOCKADDR_4.size:
        family, _, src = _SOCKADDR_4.unpack_from(data, offset)
        family_2, _, dst = _SOCKADDR_4.unpack_from(data, offset + _SOCKADDR_4.size)
        if family == family_2 == AF_INET:
            return make_address(src), make_address(dst)
    elif size == 2 * _SOCKADDR_6.size:
        family, _, src = _SOCKADDR_6.unpack_from(data, offset)
        family_2, _, dst = _SOCKADDR_6.unpack_from(data, offset + _SOCKADDR_6.size)
        if family == family_2 == AF_INET6:
            return make_address(src), make_address(dst)
    raise _bad("X_POLICY", offset, f"{size} octets are no pair of addresses")


def nat_t_type(value: int) -> bytes:
    """sadb_x_nat_t_type."""
    return _NAT_T_TYPE.pack(1, Ext.X_NAT_T_TYPE, value)


def read_nat_t_type(exts: Exts) -> int:
    """sadb_x_nat_t_type; 0 where there is none."""
    return exts[Ext.X_NAT_T_TYPE][4] if Ext.X_NAT_T_TYPE in exts else 0


def nat_t_port(ext: Ext, port: int) -> bytes:
    """sadb_x_nat_t_port of the kind ``ext``."""
    return _NAT_T_PORT.pack(1, ext, port.to_bytes(2, "big"))


def read_nat_t_port(exts: Exts, ext: Ext) -> int:
    """The UDP port of the kind ``ext``."""
    return int.from_bytes(_take(exts, ext, 8)[4:6], "big")


def replay(window: int) -> bytes:
    """FreeBSD's sadb_x_sa_replay: a window, in packets, that sadb_sa's octet cannot hold."""
    return _REPLAY.pack(1, Ext.X_SA_REPLAY, window)


def read_replay(exts: Exts) -> int | None:
    """The window in packets; None where there is no such extension."""
    if Ext.X_SA_REPLAY not in exts:
        return None
    window: int = _REPLAY.unpack_from(exts[Ext.X_SA_REPLAY])[2]
    return window


def selectors(direction: Dir, values: Iterable[Selector]) -> bytes:
    """Our X_SELECTOR: an SA's direction and its traffic, which RFC 2367 has no place for.

    Octets: length, type, direction, three zeros; for each selector family (4 or 6), protocol, two
    prefix lengths, whose last port is there (as in X_PORTS), three zeros, two ports, two last
    ports, two addresses of 16 octets, IPv4 ones first in theirs.
    """
    body = b"".join([_selector_record(*value) for value in values])
    return _SELECTORS.pack(1 + len(body) // 8, Ext.X_SELECTOR, direction) + body


def _selector_record(
    src: Network, dst: Network, protocol: int, src_port: int, dst_port: int,
    src_last: int | None, dst_last: int | None,
) -> bytes:  # fmt: skip
    return _SELECTOR.pack(
        src.version, protocol, src.prefixlen, dst.prefixlen, _given(src_last, dst_last),
        src_port, dst_port, src_last or 0, dst_last or 0,
        src.network_address.packed, dst.network_address.packed,
    )  # fmt: skip


def read_selectors(exts: Exts) -> tuple[int, tuple[Selector, ...]] | None:
    """Direction and traffic; None where there is no X_SELECTOR."""
    if Ext.X_SELECTOR not in exts:
        return None
    data = _take(exts, Ext.X_SELECTOR, _SELECTORS.size + _SELECTOR.size)
    body = data[_SELECTORS.size :]
    if len(body) % _SELECTOR.size:
        raise _bad("X_SELECTOR", 0, f"{len(data)} octets")
    found = tuple([_read_selector(*fields) for fields in _SELECTOR.iter_unpack(body)])
    return data[4], found


def _read_selector(
    version: int, protocol: int, src_len: int, dst_len: int, given: int, src_port: int,
    dst_port: int, src_last: int, dst_last: int, src: bytes, dst: bytes,
) -> Selector:  # fmt: skip
    if version == 4 and src_len <= 32 and dst_len <= 32:
        src, dst = src[:4], dst[:4]
    elif version != 6 or src_len > 128 or dst_len > 128:
        raise _bad("X_SELECTOR", 8, f"IPv{version}, prefixes of {src_len} and {dst_len} bits")
    lasts = _lasts(given, src_last, dst_last)
    return _selector(src, src_len, dst, dst_len, protocol, src_port, dst_port, *lasts)


def statistics(value: Statistics) -> bytes:
    """Our X_STATISTICS: sadb_lifetime has no packets (its allocations are flows) and no errors."""
    return _STATISTICS.pack(7, Ext.X_STATISTICS, *value)


def read_statistics(exts: Exts) -> Statistics | None:
    """What the SA has carried; None where there is no X_STATISTICS."""
    if Ext.X_STATISTICS not in exts:
        return None
    return Statistics(*_STATISTICS.unpack_from(_take(exts, Ext.X_STATISTICS, 56))[2:])


def reason(text: str) -> bytes:
    """Our X_REASON: what an errno stands for, in words, with a refused request."""
    return _text(Ext.X_REASON, text)


def read_reason(exts: Exts) -> str:
    """The words, printable ones only; empty where there are none."""
    return _read_text(exts, Ext.X_REASON)


def drops(counts: Mapping[str, int]) -> bytes:
    """Our X_DROPS: names and counts of what was thrown away, ``name=count`` with blanks between."""
    return _text(Ext.X_DROPS, " ".join(f"{name}={count}" for name, count in counts.items()))


def read_drops(exts: Exts) -> dict[str, int]:
    """The counts by name. MalformedPayload where there are none to read."""
    _take(exts, Ext.X_DROPS, 8)
    pairs = (pair.partition("=") for pair in _read_text(exts, Ext.X_DROPS).split())
    return {name: int(count) for name, _, count in pairs if count.isdecimal()}


def _text(ext: Ext, text: str) -> bytes:
    body = text.encode()[:MAX_TEXT]
    padding = -(4 + len(body)) % 8
    return _EXT.pack((4 + len(body) + padding) // 8, ext) + body + bytes(padding)


def _read_text(exts: Exts, ext: Ext) -> str:
    text = exts.get(ext, b"")[4 : 4 + MAX_TEXT].rstrip(b"\0").decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in text)
