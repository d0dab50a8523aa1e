"""Values that IKEv1 payloads can have, and what a wire or an enemy makes of their octets."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from isakmp.payloads import family
from isakmp.payloads.attribute import ConfigValue
from isakmp.payloads.base import Codec, Misfit
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.delete import DeleteValue
from isakmp.payloads.id import SIZES, IdValue
from isakmp.payloads.nat_oa import AddressValue
from isakmp.payloads.notify import NotifyValue
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import Encoded, Octets, ProposalValue

_IKEV1 = family(1)
assert _IKEV1
CODECS = {codec.name: codec for codec in _IKEV1.codecs.values()}

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def data(least: int = 0, most: int = 40) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=least, max_size=most)


def first_changed(value: Any, **fields: Any) -> Any:
    """The value of an SA payload whose first proposal has other fields."""
    first, *others = value.proposals
    return value._replace(proposals=(first._replace(**fields), *others))


def some(one: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, min_size=least, max_size=most).map(tuple)


attribute = st.builds(DataAttribute, st.integers(0, 0x7FFF), st.one_of(u16, data(0, 12)))
attributes = some(attribute, 0, 5)
transform = st.builds(TransformValue, u8, u8, attributes)
proposal = st.builds(ProposalValue, u8, u8, data(0, 16), some(transform, 1, 3))


def _identity(kind: int) -> st.SearchStrategy[IdValue]:
    size = SIZES.get(kind)
    names = data(1) if size is None else data(size, size)
    return st.builds(IdValue, st.just(kind), u8, u16, names)


def _spis(size: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    return some(data(size, size), 1, 4)


def _octets(least: int, most: int) -> st.SearchStrategy[Octets]:
    return st.builds(Octets, data(least, most))


def _encoded(least: int) -> st.SearchStrategy[Encoded]:
    return st.builds(Encoded, u8, data(least))


_address = st.one_of(
    st.builds(AddressValue, st.just(1), data(4, 4)),
    st.builds(AddressValue, st.just(5), data(16, 16)),
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "SA": st.builds(SaValue, st.just(1), st.just(1), some(proposal, 1, 3)),
    "KE": _octets(1, 300),
    "ID": u8.flatmap(_identity),
    "CERT": _encoded(1),
    "CERT_REQ": _encoded(0),
    "HASH": _octets(1, 64),
    "SIG": _octets(1, 300),
    "NONCE": _octets(8, 256),
    "NOTIFY": st.builds(NotifyValue, u32, u8, u16, data(0, 16), data()),
    "DELETE": st.builds(DeleteValue, u32, u8, st.integers(1, 16).flatmap(_spis)),
    "VENDOR": _octets(0, 40),
    "ATTRIBUTE": st.builds(ConfigValue, u8, u16, attributes),
    "NAT_D": _octets(1, 64),
    "NAT_OA": _address,
}
VALUES |= {"NAT_D_DRAFT": VALUES["NAT_D"], "NAT_OA_DRAFT": VALUES["NAT_OA"]}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """``good`` with a few octets changed, cut out, put in, or its end cut off."""
    octets = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        how = draw(st.sampled_from(("change", "cut", "insert", "end")))
        if how == "change" and at < len(octets):
            octets[at] = draw(st.one_of(st.sampled_from((0, 1, 2, 3, 4, 8, 0x80, 0xFF)), u8))
        elif how == "cut":
            del octets[at : at + draw(st.integers(1, 4))]
        elif how == "insert":
            octets[at:at] = draw(data(1, 4))
        else:
            del octets[at:]
    return bytes(octets)


def bodies(codec: Codec[Any]) -> st.SearchStrategy[bytes]:
    """Good bodies, damaged ones and noise."""
    good = VALUES[codec.name].map(codec.build)
    return st.one_of(good, good.flatmap(damaged), st.binary(max_size=64))


def outcome(parse: Any, body: bytes) -> Any:
    """The value, or where the body does not fit."""
    try:
        return parse(body)
    except Misfit as error:
        return error.where, error.at
