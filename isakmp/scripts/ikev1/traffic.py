"""Traffic: the identities of quick mode, IDci and IDcr: RFC 2409 5.5, RFC 2407 4.6.2.

The initiator's end stands first. Without them the two hosts are meant.
"""

from __future__ import annotations

from isakmp import payloads as codecs
from isakmp.constants import ipsec, isakmp, name_of
from isakmp.constants.ip import protocol_name
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.script import Incoming
from isakmp.payloads.id import IdValue
from isakmp.policy.children import crosswise
from isakmp.policy.identity import host_network
from isakmp.policy.sameness import network_of, same_traffic
from isakmp.policy.spd import ICMP, Connection, Identity, Network, Selector
from isakmp.scripts.ikev1.quick import X

P = isakmp.Payload


def take_ids(x: X, message: Incoming) -> Selector:
    """The offered traffic, from us to the peer; the two hosts where nothing is said."""
    payloads = message.take_all(P.ID)
    x.state.id_bodies = tuple(payload.body for payload in payloads)
    if not payloads:
        return Selector(host_network(x.path.local), host_network(x.path.remote))
    if len(payloads) != 2:
        raise MalformedPayload("ID", payloads[0].offset, f"{len(payloads)} identities, 2 wanted",
                               "RFC 2409 5.5")  # fmt: skip
    ends: list[tuple[Network, Identity]] = []
    for payload in payloads:
        identity = _traffic_id(payload.of(codecs.ID))
        network = network_of(identity)
        if network is None:
            raise _no_traffic(identity.type.name, str(identity))
        ends.append((network, identity))
    (theirs, idci), (ours, idcr) = ends
    if theirs.version != ours.version:
        raise Refused(
            Reason("invalid-id-information", "the identities are of different IP versions"),
            isakmp.Notify.INVALID_ID_INFORMATION,
        )
    if idci.protocol and idcr.protocol and idci.protocol != idcr.protocol:
        raise Refused(
            Reason("invalid-id-information", "the identities are of different protocols",
                   came=" and ".join(protocol_name(i.protocol) for i in (idci, idcr))),
            isakmp.Notify.INVALID_ID_INFORMATION,
        )  # fmt: skip
    protocol, ports = idcr.protocol or idci.protocol, (idcr.port, idci.port)
    if any(ports) and not protocol:
        raise _no_traffic("with a port and no protocol", " and ".join(map(str, ports)))
    if protocol in ICMP:
        # Type and code do not change sides; a type may stand in the second one alone.
        ports = (idci.port, idcr.port) if idci.port else (idcr.port, 0)
    return Selector(ours, theirs, protocol, *ports)


def _traffic_id(value: IdValue) -> Identity:
    """A phase 2 identity as it came."""
    try:
        return Identity(ipsec.Id(value.type), value.data, value.protocol, value.port)
    except ValueError:
        raise _no_traffic(f"type {name_of(ipsec.Id, value.type)}", value.data.hex()) from None


def _no_traffic(kind: str, came: str) -> Refused:
    return Refused(
        Reason("invalid-id-information", f"an identity {kind} selects no traffic that can be set",
               came=came, acceptable="addresses, subnets, and ranges that are a subnet; ports "
               "with a protocol only"),
        isakmp.Notify.INVALID_ID_INFORMATION,
    )  # fmt: skip


def check_ids(message: Incoming, sent: tuple[bytes, ...], connection: Connection) -> None:
    """The answer's identities, where it has any, must mean those that we have sent."""
    payloads = message.take_all(P.ID)
    if tuple(payload.body for payload in payloads) in ((), sent):
        return
    came = [_traffic_id(payload.of(codecs.ID)) for payload in payloads]
    ours = [connection.local_id, connection.remote_id]
    if len(came) == 2 and all(map(same_traffic, came, ours)):
        return
    raise Refused(
        Reason("invalid-id-information", "the peer's answer names other identities",
               came=" to ".join(map(str, came)), acceptable=" to ".join(map(str, ours)),
               line=connection.line, mend=crosswise(connection.remote, (connection,))),
        isakmp.Notify.INVALID_ID_INFORMATION,
    )  # fmt: skip
