"""The NAT original address payload: RFC 3947 5.2. One IPv4 or IPv6 address."""

from construct import Bytes, Const, Error, Int8ub, Struct, Switch, this

from isakmp.constants.ipsec import Id
from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec

LAYOUT = Struct(
    "type" / Int8ub,
    "_reserved" / Const(b"\0\0\0"),
    "data" / Switch(this.type, {Id.IPV4_ADDR: Bytes(4), Id.IPV6_ADDR: Bytes(16)}, default=Error),
)

CODEC = Codec(
    "NAT_OA",
    Payload.NAT_OA,
    LAYOUT,
    "RFC 3947 5.2",
    (
        ("010000000a000301", {"type": 1, "data": b"\n\0\3\1"}),
        ("05000000" + bytes(range(16)).hex(), {"type": 5, "data": bytes(range(16))}),
    ),
    show.fields(type=show.registry(Id), data=show.address),
)
