"""PF_KEYv2 in front of a key engine: what each message does, and to whom it is answered."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.base import Acquire, Action, Expire, Limits, Mapping
from isakmp.app.engine.server import Server
from isakmp.app.pf_key import codec, values
from isakmp.app.pf_key.codec import Message, Policy, Sa, Sa2
from isakmp.app.pf_key.constants import Aalg, Dir, Ealg, Ext, Mode, PolicyType, SaType, State, Type
from isakmp.constants import ipsec
from isakmp.errors import ApplicationError
from regress.app.pf_key import strategies as some
from regress.app.pf_key.fakes import (
    IN,
    IN_POLICY,
    NETS,
    OUT,
    OUT_POLICY,
    THEM,
    US,
    WALL,
    FakeEngine,
    name_of,
)

ENDS = codec.addresses(US, THEM)
RANGE = codec.spi_range(0x100, 0xFFFFFFFF)
OUT_BODY = values.sa_exts(OUT, True)
OUT_NAME = values.sa_id_exts(name_of(OUT))
POLICY_BODY = values.policy_exts(OUT_POLICY)


class Desk:
    """A server, and clients that keep what they are sent."""

    def __init__(self) -> None:
        self.server: Server[FakeEngine] = Server(FakeEngine, lambda: WALL)
        self.engine = self.server.engine
        self.mail: list[list[Message]] = []
        self.clients = []

    def client(self, *satypes: int) -> int:
        """A new client, registered for these types; its number."""
        box: list[Message] = []

        def take(data: bytes) -> None:
            box.append(codec.parse(data))

        def take_all(dump: Iterator[bytes]) -> None:
            for data in dump:
                take(data)

        self.clients.append(self.server.attach(take, take_all))
        self.mail.append(box)
        number = len(self.clients) - 1
        for satype in satypes:
            self.ask(Type.REGISTER, satype=satype, client=number)
        for letters in self.mail:
            letters.clear()
        return number

    def ask(self, type: int, body: bytes = b"", satype: int = 3, client: int = 0, **head: int):  # type: ignore[no-untyped-def]
        """Send a request; what the client gets for it."""
        before = len(self.mail[client])
        data = codec.message(type, satype, head.get("seq", 5), 77, body, head.get("errno", 0))
        self.clients[client].receive(data)
        return self.mail[client][before:]

    def one(self, type: int, body: bytes = b"", satype: int = 3) -> Message:
        (answer,) = self.ask(type, body, satype)
        assert (answer.type, answer.seq, answer.pid) == (type, 5, 77)
        return answer


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.client()
    return desk


def install(desk: Desk) -> None:
    assert desk.one(Type.ADD, OUT_BODY).errno == 0
    assert desk.one(Type.X_SPDADD, POLICY_BODY, 0).errno == 0


def test_getspi(desk: Desk) -> None:
    """RFC 2367 3.1: RFC 2367 3.1.1: <base, SA(*), address(SD)>."""
    answer = desk.one(Type.GETSPI, codec.sa2(Sa2(Mode.TUNNEL, 7)) + ENDS + RANGE)
    assert codec.read_sa(answer.exts) == Sa(0x1001, state=State.LARVAL)
    assert sorted(answer.exts) == [Ext.SA, Ext.ADDRESS_SRC, Ext.ADDRESS_DST]
    assert desk.engine.larval == {0x1001}


def test_getspi_gives_one_of_the_range_or_none(desk: Desk) -> None:
    """RFC 2367 3.1.1: a single one, too."""
    wanted = ENDS + codec.spi_range(0x5000, 0x5000)
    answer = desk.one(Type.GETSPI, wanted)
    assert codec.read_sa(answer.exts).spi == 0x5000
    assert desk.one(Type.GETSPI, wanted).errno == errno.EEXIST
    assert desk.engine.larval == {0x5000}
    assert desk.one(Type.GETSPI, ENDS + codec.spi_range(0, 255)).errno == errno.EEXIST
    assert desk.one(Type.GETSPI, ENDS + codec.spi_range(9, 8)).errno == errno.EINVAL


@pytest.mark.parametrize("kind", [PolicyType.IPSEC, PolicyType.DISCARD])
def test_a_policy_is_deleted_by_its_direction_and_traffic(desk: Desk, kind: PolicyType) -> None:
    """KAME's setkey writes it without a request: RFC 2367 has no policies."""
    install(desk)
    (_, spec), *_ = desk.engine.policies()
    said = codec.policy(Policy(kind, Dir.OUTBOUND)) + codec.traffic(spec.selector)
    assert desk.one(Type.X_SPDDELETE, said, 0).errno == 0
    assert not list(desk.engine.policies())


def test_getspi_may_leave_the_range_to_us(desk: Desk) -> None:
    """RFC 2367 3.1.1: the application may also specify it."""
    answer = desk.one(Type.GETSPI, ENDS)
    assert not answer.errno and codec.read_sa(answer.exts).spi == 0x1001


def test_add_and_update_answer_without_keys(desk: Desk) -> None:
    """RFC 2367 3.1.2, 3.1.3."""
    desk.one(Type.GETSPI, ENDS + RANGE)
    for type, spec in ((Type.UPDATE, IN), (Type.ADD, OUT)):
        answer = desk.one(type, values.sa_exts(spec, True))
        assert answer.errno == 0 and codec.read_sa(answer.exts).spi == spec.spi
        assert not {Ext.KEY_AUTH, Ext.KEY_ENCRYPT} & set(answer.exts)
    assert list(desk.engine.sas()) == [IN, OUT]


def test_refusals_are_the_base_header_and_words(desk: Desk) -> None:
    cases: list[tuple[int, bytes, int]] = [
        (Type.UPDATE, OUT_BODY, errno.ESRCH),
        (Type.DELETE, OUT_NAME, errno.ESRCH),
        (Type.GET, OUT_NAME, errno.ESRCH),
        (Type.ADD, OUT_NAME, errno.EINVAL),
        (Type.ADD, b"", errno.EINVAL),
        (Type.X_SPDDELETE, POLICY_BODY, errno.ENOENT),
        (Type.X_SPDGET, codec.policy(Policy(2, 2, 9)), errno.ENOENT),
        (Type.X_SPDDELETE2, codec.policy(Policy(2, 2, 9)), errno.ENOENT),
        (Type.X_MIGRATE, POLICY_BODY, errno.EINVAL),
        (Type.DUMP, b"", errno.ENOENT),
        (Type.X_SPDDUMP, b"", errno.ENOENT),
        (Type.EXPIRE, OUT_NAME, errno.EINVAL),
        (Type.X_NAT_T_NEW_MAPPING, OUT_NAME, errno.EINVAL),
        (202, b"", errno.EINVAL),
    ]
    for type, body, number in cases:
        answer = desk.one(type, body)
        assert (type, answer.errno) == (type, number)
        assert list(answer.exts) == [Ext.X_REASON] and codec.read_reason(answer.exts)


def test_an_sa_that_exists(desk: Desk) -> None:
    install(desk)
    assert desk.one(Type.ADD, OUT_BODY).errno == errno.EEXIST
    assert desk.one(Type.X_SPDADD, POLICY_BODY, 0).errno == errno.EEXIST
    assert desk.one(Type.X_SPDUPDATE, POLICY_BODY, 0).errno == 0


def test_get(desk: Desk) -> None:
    """The SA but for its keys, its limits, and what it has carried."""
    limits = Limits(10, 20, 30, 40)
    desk.one(Type.ADD, values.sa_exts(OUT._replace(limits=limits), True))
    answer = desk.one(Type.GET, OUT_NAME)
    sa = codec.read_sa(answer.exts)
    assert (sa.spi, sa.encrypt, sa.state) == (OUT.spi, Ealg.X_AES_GCM_16, State.MATURE)
    assert values.read_limits(answer.exts) == limits
    current = codec.read_lifetime(answer.exts, Ext.LIFETIME_CURRENT)
    assert (current.allocations, current.octets, current.addtime) == (0, 300, int(WALL - 60.25))
    assert codec.read_statistics(answer.exts) == (3, 300, 2, 1, 60250, 1500)
    assert Ext.KEY_ENCRYPT not in answer.exts


def test_delete(desk: Desk) -> None:
    install(desk)
    assert desk.one(Type.DELETE, OUT_NAME).exts.keys() == {1, 5, 6}
    assert not list(desk.engine.sas())


def test_register_names_what_the_engine_has(desk: Desk) -> None:
    answer = desk.one(Type.REGISTER)
    encrypt = {row.number for row in codec.read_supported(answer.exts, Ext.SUPPORTED_ENCRYPT)}
    auth = {row.number for row in codec.read_supported(answer.exts, Ext.SUPPORTED_AUTH)}
    assert {Ealg.X_AES_CBC, Ealg.X_AES_GCM_16, Ealg.X_CHACHA20_POLY1305} <= encrypt
    assert Aalg.X_SHA2_256_HMAC in auth and Aalg.X_AES_128_GMAC not in auth
    assert not desk.one(Type.REGISTER, satype=SaType.IPCOMP).exts


def test_flush(desk: Desk) -> None:
    install(desk)
    assert desk.one(Type.FLUSH, satype=SaType.AH).errno == 0
    assert list(desk.engine.sas())
    desk.one(Type.FLUSH, satype=SaType.ESP)
    assert not list(desk.engine.sas()) and list(desk.engine.policies())
    desk.one(Type.GETSPI, ENDS + RANGE)
    desk.one(Type.FLUSH, satype=SaType.UNSPEC)
    assert not desk.engine.larval
    desk.one(Type.X_SPDFLUSH, satype=0)
    assert not list(desk.engine.policies())


def test_dump_counts_down(desk: Desk) -> None:
    """RFC 2367 3.1.10: sequence number 0 ends it."""
    for spi in (0x2001, 0x2002, 0x2003):
        desk.one(Type.ADD, values.sa_exts(OUT._replace(spi=spi), True))
    answers = desk.ask(Type.DUMP, satype=0)
    assert [answer.seq for answer in answers] == [2, 1, 0]
    assert [codec.read_sa(answer.exts).spi for answer in answers] == [0x2001, 0x2002, 0x2003]
    assert all(answer.satype == SaType.ESP for answer in answers)
    assert desk.one(Type.DUMP, satype=SaType.AH).errno == errno.ENOENT


def test_policies(desk: Desk) -> None:
    added = desk.one(Type.X_SPDADD, POLICY_BODY, 0)
    assert codec.read_policy(added.exts).id == 1 and values.read_policy(added) == OUT_POLICY
    desk.one(Type.X_SPDADD, values.policy_exts(IN_POLICY), 0)
    dumped = desk.ask(Type.X_SPDDUMP, satype=0)
    assert [values.read_policy(m) for m in dumped] == [OUT_POLICY, IN_POLICY]
    assert [m.seq for m in dumped] == [1, 0]
    got = desk.one(Type.X_SPDGET, codec.policy(Policy(2, Dir.INBOUND, 2)), 0)
    assert values.read_policy(got) == IN_POLICY
    assert desk.one(Type.X_SPDDELETE2, codec.policy(Policy(2, Dir.INBOUND, 2)), 0).errno == 0
    assert desk.one(Type.X_SPDDELETE, POLICY_BODY, 0).errno == 0
    assert not list(desk.engine.policies())


def test_migrate_needs_new_ends_of_a_known_policy(desk: Desk) -> None:
    install(desk)
    elsewhere = ip_address("198.51.100.7")
    body = values.migrate_exts(OUT_POLICY, elsewhere, THEM)
    assert desk.one(Type.X_MIGRATE, body, 0).errno == 0
    assert [spec.src for spec in desk.engine.sas()] == [elsewhere]
    assert desk.one(Type.X_MIGRATE, body, 0).errno == errno.ENOENT
    discard = values.policy_exts(OUT_POLICY._replace(action=Action.DISCARD))
    assert desk.one(Type.X_MIGRATE, discard, 0).errno == errno.EINVAL


def test_who_hears_an_answer() -> None:
    """RFC 2367 1.4: all that listen; GET, REGISTER's errors and dumps only who asked."""
    desk = Desk()
    asking, listening, deaf = desk.client(), desk.client(SaType.ESP), desk.client()
    desk.ask(Type.ADD, OUT_BODY, client=asking)
    assert [len(box) for box in desk.mail] == [1, 1, 0]
    assert desk.mail[listening][0].pid == 77
    desk.ask(Type.GET, OUT_NAME, client=asking)
    desk.ask(Type.DUMP, client=asking)
    desk.ask(Type.ADD, b"", client=asking)
    assert [len(box) for box in desk.mail] == [4, 1, 0]
    desk.ask(Type.ADD, OUT_BODY, client=deaf)
    assert desk.mail[listening][-1].errno == errno.EEXIST
    assert [len(box) for box in desk.mail] == [4, 2, 1]


def test_a_client_that_left_hears_nothing() -> None:
    desk = Desk()
    desk.client(SaType.ESP)
    desk.clients[0].detach()
    desk.clients[0].detach()
    desk.server.acquire(Acquire(7, NETS, US, THEM))
    assert not desk.mail[0] and desk.server.counters == {"unheard acquires": 1}


def test_acquire_goes_to_those_of_its_type(desk: Desk) -> None:
    esp, ah = desk.client(SaType.ESP), desk.client(SaType.AH)
    install(desk)
    for box in desk.mail:
        box.clear()
    desk.server.acquire(Acquire(7, NETS, US, THEM))
    assert [len(box) for box in desk.mail] == [0, 1, 0] and ah != esp
    message = desk.mail[esp][0]
    assert (message.pid, message.satype) == (0, SaType.ESP) and message.seq
    assert codec.read_policy(message.exts).id == 1 and Ext.PROPOSAL in message.exts
    assert codec.read_sa2(message.exts) == Sa2(Mode.TUNNEL, 7, 1)
    assert codec.read_selectors(message.exts) == (Dir.OUTBOUND, (NETS,))


def test_acquire_after_its_policy_went(desk: Desk) -> None:
    desk.client(SaType.ESP)
    install(desk)
    desk.one(Type.X_SPDUPDATE, values.policy_exts(OUT_POLICY._replace(reqid=8)), 0)
    desk.server.acquire(Acquire(8, NETS, US, THEM))
    assert codec.read_policy(desk.mail[1][-1].exts).id == 1
    desk.one(Type.X_SPDDELETE, POLICY_BODY, 0)
    desk.server.acquire(Acquire(8, NETS, US, THEM))
    assert codec.read_policy(desk.mail[1][-1].exts).id == 0


def test_acquire_of_a_client(desk: Desk) -> None:
    """RFC 2367 3.1.6, third and second behaviour."""
    assert desk.one(Type.ACQUIRE, ENDS + codec.proposal(64)).errno == errno.EPROTONOSUPPORT
    desk.client(SaType.ESP)
    assert not desk.ask(Type.ACQUIRE, ENDS + codec.proposal(64))
    assert desk.mail[1][-1].pid == 77
    assert not desk.ask(Type.ACQUIRE, errno=errno.ECONNREFUSED)
    assert desk.server.counters["failed negotiations"] == 1


def test_expire_and_mapping_layout(desk: Desk) -> None:
    desk.client(SaType.AH)
    desk.one(Type.GETSPI, ENDS + RANGE)
    inbound = IN._replace(encap=(4500, 4500), limits=Limits(50, 100))
    desk.one(Type.UPDATE, values.sa_exts(inbound, True))
    box = desk.mail[1]
    box.clear()
    desk.server.expire(Expire(name_of(inbound), False))
    desk.server.mapping(Mapping(name_of(inbound), ip_address("203.0.113.5"), 1024))
    desk.server.expire(Expire(name_of(inbound), True))
    soft, mapping, hard = box
    assert codec.read_lifetime(soft.exts, Ext.LIFETIME_SOFT).addtime == 50
    assert codec.read_lifetime(soft.exts, Ext.LIFETIME_CURRENT).octets == 300
    assert Ext.LIFETIME_HARD in hard.exts and Ext.LIFETIME_SOFT not in hard.exts
    assert (codec.read_sa(soft.exts).state, codec.read_sa(hard.exts).state) == (2, 3)
    assert codec.read_nat_t_port(mapping.exts, Ext.X_NAT_T_SPORT) == 4500
    assert codec.read_nat_t_port(mapping.exts, Ext.X_NAT_T_DPORT) == 1024
    assert codec.read_addresses(mapping.exts) == (THEM, ip_address("203.0.113.5"))


def test_what_has_no_header_is_counted(desk: Desk) -> None:
    desk.clients[0].receive(b"")
    desk.clients[0].receive(bytes(16))
    assert not desk.mail[0] and desk.server.counters == {"malformed": 2}


def test_a_wrong_length_is_emsgsize(desk: Desk) -> None:
    """RFC 2367 2.1."""
    desk.clients[0].receive(codec.message(Type.GET, 3, 5, 77, OUT_NAME) + bytes(8))
    assert desk.mail[0][0].errno == errno.EMSGSIZE


def requests() -> list[Callable[[], bytes]]:
    """A good message of each kind."""
    bodies = [
        (Type.GETSPI, 3, codec.sa2(Sa2(2, 7)) + ENDS + RANGE),
        (Type.UPDATE, 3, values.sa_exts(IN._replace(encap=(1, 2), replay_window=999), True)),
        (Type.ADD, 3, OUT_BODY),
        (Type.GET, 3, OUT_NAME),
        (Type.DELETE, 3, OUT_NAME),
        (Type.ACQUIRE, 3, ENDS),
        (Type.REGISTER, 3, b""),
        (Type.X_SPDADD, 0, POLICY_BODY),
        (Type.X_SPDUPDATE, 0, values.policy_exts(IN_POLICY)),
        (Type.X_SPDGET, 0, codec.policy(Policy(2, 2, 1))),
        (Type.X_MIGRATE, 0, values.migrate_exts(OUT_POLICY, THEM, US)),
        (Type.X_SPDDELETE, 0, POLICY_BODY),
        (Type.X_SPDDELETE2, 0, codec.policy(Policy(2, 2, 1))),
        (Type.DUMP, 0, b""),
        (Type.X_SPDDUMP, 0, b""),
        (Type.FLUSH, 0, b""),
        (Type.X_SPDFLUSH, 0, b""),
    ]
    return [codec.message(type, satype, 5, 77, body) for type, satype, body in bodies]  # type: ignore[misc]


def test_every_message_cut_at_every_octet(desk: Desk) -> None:
    for whole in requests():
        for size in range(len(whole)):
            desk.clients[0].receive(whole[:size])
    assert all(answer.errno == errno.EMSGSIZE for answer in desk.mail[0])
    assert not list(desk.engine.sas()) and not list(desk.engine.policies())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_requests(data: st.DataObject) -> None:
    desk = Desk()
    desk.client(SaType.ESP)
    for whole in requests():
        message = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 3))):
            message[data.draw(st.integers(0, len(message) - 1))] = data.draw(some.u8)
        desk.clients[0].receive(bytes(message))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=160), st.integers(0, 30), some.u8)
def test_random_requests(data: bytes, type: int, satype: int) -> None:
    desk = Desk()
    desk.client()
    desk.clients[0].receive(data)
    body = data[: len(data) // 8 * 8]
    desk.clients[0].receive(codec.message(type, satype, 5, 77, body))
    assert sum(desk.server.counters.values()) or desk.mail[0] or type in (Type.ACQUIRE,)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Ext), st.integers(1, 9), st.binary(max_size=68)), max_size=6)
)
def test_random_extensions_of_each_request(pieces: list[tuple[int, int, bytes]]) -> None:
    desk = Desk()
    desk.client()
    body = b"".join(
        struct.pack("=HH", words, ext) + octets[: words * 8 - 4].ljust(words * 8 - 4, b"\0")
        for ext, words, octets in pieces
    )
    for type in Type:
        desk.clients[0].receive(codec.message(type, 3, 5, 77, body))


def test_an_engine_that_refuses_everything(desk: Desk) -> None:
    def refuse(*_: object) -> None:
        raise ApplicationError("not today")

    for name in ("get_spi", "add", "update", "delete", "usage", "add_policy", "delete_policy"):
        setattr(desk.engine, name, refuse)
    numbers = {m.type: m.errno for whole in requests() for m in ask_raw(desk, whole)}
    assert numbers[Type.GETSPI] == errno.ENOBUFS and numbers[Type.ADD] == errno.EINVAL
    assert numbers[Type.X_SPDADD] == errno.EINVAL and numbers[Type.REGISTER] == 0


def ask_raw(desk: Desk, data: bytes) -> list[Message]:
    desk.mail[0].clear()
    desk.clients[0].receive(data)
    return list(desk.mail[0])


def test_a_foreign_clients_transport_sa(desk: Desk) -> None:
    """What a tool such as setkey sends: SA, SA2, addresses and keys, nothing of ours."""
    body = codec.sa(Sa(0x6001, 32, 1, Aalg.X_SHA2_256_HMAC, Ealg.X_AES_CBC))
    body += codec.sa2(Sa2(Mode.TRANSPORT, 77)) + ENDS
    body += codec.key(Ext.KEY_AUTH, bytes(32)) + codec.key(Ext.KEY_ENCRYPT, bytes(16))
    assert desk.one(Type.ADD, body).errno == 0
    (spec,) = desk.engine.sas()
    assert spec.mode is ipsec.Encapsulation.TRANSPORT and spec.reqid == 77
    assert (spec.encryption, spec.auth) == (ipsec.Esp.AES, ipsec.Auth.HMAC_SHA2_256)
