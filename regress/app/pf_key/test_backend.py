"""The PF_KEY back end: requests as jobs, upcalls, and what a bad stack can do to it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.base import Acquire, Action, Expire, Mapping, SpiRequest, UnknownSpi, Usage
from isakmp.app.engine.drop import Drop
from isakmp.app.pf_key import codec
from isakmp.app.pf_key.backend import FIRST_SEQ, PfKey
from isakmp.app.pf_key.codec import Lifetime, Policy, Sa
from isakmp.app.pf_key.constants import Ealg, Ext, SaType, State, Type
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, NoSuchSa
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.policy.spd import Selector
from regress.app.pf_key import strategies as some
from regress.app.pf_key.fakes import (
    ESP,
    IN,
    IN_POLICY,
    NETS,
    OUT,
    OUT_POLICY,
    THEM,
    TUNNEL,
    US,
    WALL,
    Heard,
    ScriptedLink,
    World,
    name_of,
)

REQUEST = SpiRequest(ESP, THEM, US, TUNNEL, 7)


class Far:
    """A back end whose stack answers when the test does."""

    def __init__(self, **options: object) -> None:
        self.clock = 0.0
        self.timers = Timers(lambda: self.clock)
        self.link, self.heard = ScriptedLink(), Heard()
        self.app = PfKey(self.link, self.timers, wall=lambda: WALL, pid=99, **options)
        self.app.start(self.heard)
        for data in list(self.link.sent):
            self.reply(data)
        self.link.sent.clear()

    def reply(self, request: bytes, body: bytes = b"", errno: int = 0, **changes: int) -> None:
        asked = codec.parse(request)._replace(**changes)
        self.app.receive(codec.message(asked.type, asked.satype, asked.seq, asked.pid, body, errno))

    def tell(self, type: Type, body: bytes, satype: int = 3) -> None:
        self.app.receive(codec.message(type, satype, 1, 0, body))


def result(job: Job):  # type: ignore[no-untyped-def,type-arg]
    assert job.done
    if job.error:
        raise job.error
    return job.result


def test_a_handshake_over_a_direct_link() -> None:
    """RFC 2367 3.1."""
    world = World()
    spi = result(world.app.get_spi(REQUEST))
    result(world.app.update_sa(IN._replace(spi=spi)))
    result(world.app.add_sa(OUT))
    assert result(world.app.add_policy(OUT_POLICY)) == 1
    assert result(world.app.add_policy(IN_POLICY)) == 2
    assert list(world.engine.sas()) == [IN._replace(spi=spi), OUT]
    assert [spec for _, spec in world.engine.policies()] == [OUT_POLICY, IN_POLICY]
    assert not world.timers.pending()
    assert not world.app.counters and not world.server.counters


@pytest.mark.parametrize("private", [True, False], ids=["engine", "kernel"])
def test_an_sa_whose_larval_one_has_ended_is_made_anew(private: bool) -> None:
    """RFC 2367 3.1.2: peers have longer to answer than an SPI is kept for."""
    far = Far(private=private)
    job = far.app.update_sa(IN)
    far.reply(far.link.sent[-1], b"", errno.ESRCH)
    assert not job.done
    asked = codec.parse(far.link.sent[-1])
    assert (asked.type, codec.read_sa(asked.exts).spi) == (Type.ADD, IN.spi)
    far.reply(far.link.sent[-1], b"")
    assert result(job) is None
    for first, number in ((Type.UPDATE, errno.EINVAL), (Type.ADD, errno.EEXIST)):
        job = far.app.update_sa(IN)
        if first == Type.ADD:
            far.reply(far.link.sent[-1], b"", errno.ESRCH)
        far.reply(far.link.sent[-1], b"", number)
        assert first.name in str(job.error)


def test_what_is_moved_is_not_made_anew() -> None:
    far = Far(private=True)
    job = far.app.move_sa(IN, IN._replace(encap=(4500, 4501)))
    far.reply(far.link.sent[-1], b"", errno.ESRCH)
    assert isinstance(job.error, NoSuchSa)


def test_algorithms_are_known_after_start() -> None:
    rows = World().app.supported[SaType.ESP, Ext.SUPPORTED_ENCRYPT]
    assert Ealg.X_CHACHA20_POLY1305 in [row.number for row in rows]


def test_what_the_stack_supports_is_what_it_said() -> None:
    app = World().app
    gcm, ah = ipsec.Esp.AES_GCM_16, isakmp.Protocol.IPSEC_AH
    sha2 = ipsec.Auth.HMAC_SHA2_256
    assert app.supports(ESP, TUNNEL, gcm, 128, None, True) == ""
    assert app.supports(ESP, TUNNEL, ipsec.Esp.AES, 256, sha2, False) == ""
    assert "key length" in app.supports(ESP, TUNNEL, ipsec.Esp.IDEA, 128, sha2, False)
    assert "16 to" in app.supports(ESP, TUNNEL, gcm, 512, None, False).replace("160", "16")
    assert "authentication" in app.supports(ah, TUNNEL, ipsec.Ah.SHA2_256, 0, sha2, False)


def test_a_kernel_moves_no_sa_and_has_no_extended_sequence_numbers() -> None:
    far = Far(private=False)
    far.app.supported.clear()  # as before it has answered
    assert far.app.supports(ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 128, None, False) == ""
    assert far.app.move_sa(IN, IN._replace(src=US)).error is not None
    assert not far.app.move_sa(IN, IN._replace(encap=(4500, 4501))).done
    far.app.supported[SaType.ESP, Ext.SUPPORTED_ENCRYPT] = []
    assert far.app.supports(ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 128, None, True)
    assert far.app.supports(ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 128, None, False)


def test_an_sa_of_the_engine_moves() -> None:
    world = World()
    spi = result(world.app.get_spi(REQUEST))
    inbound = IN._replace(spi=spi)
    result(world.app.update_sa(inbound))
    assert (
        result(world.app.move_sa(inbound, inbound._replace(src=ip_address("192.0.2.77")))) is None
    )


def test_usage_is_exact() -> None:
    world = World()
    result(world.app.add_sa(OUT))
    assert result(world.app.usage(name_of(OUT))) == Usage(3, 300, 60.25, 1.5, 2, 1)


def test_drops_by_cause() -> None:
    world = World()
    assert result(world.app.drops()) == {}
    for kind in (Drop.REPLAY, Drop.REPLAY, Drop.NO_SA):
        world.engine.drops(kind)
    assert result(world.app.drops()) == {"replay": 2, "no-sa": 1}


def test_what_was_left_is_swept_by_our_engine_alone() -> None:
    world = World()
    world.app.sweep()
    assert world.engine.sweeps == 1
    far = Far(private=False)
    far.app.sweep()
    assert far.link.sent == [], "a kernel has no such message"


def test_usage_of_a_kernel() -> None:
    """Packets as allocations; the age as a time since 1970. That of use is the first at Linux, and
    the last at FreeBSD."""
    far = Far(private=False)
    job = far.app.usage(name_of(OUT))
    body = codec.lifetime(Ext.LIFETIME_CURRENT, Lifetime(5, 500, int(WALL) - 50, int(WALL) - 3))
    far.reply(far.link.sent[-1], body)
    assert result(job) == Usage(5, 500, 50.0, None)


def test_refusals_carry_the_engines_words() -> None:
    world = World()
    with pytest.raises(ApplicationError, match=r"DELETE refused: no such SA \(ESRCH\)"):
        result(world.app.delete_sa(name_of(OUT)))
    result(world.app.add_sa(OUT))
    with pytest.raises(ApplicationError, match="EEXIST"):
        result(world.app.add_sa(OUT))
    with pytest.raises(ApplicationError, match="ENOENT"):
        result(world.app.delete_policy(OUT_POLICY))
    result(world.app.delete_sa(name_of(OUT)))
    assert not list(world.engine.sas())


def test_what_pf_key_cannot_say_is_refused_at_once() -> None:
    """RFC 4301 4.3."""
    far = Far()
    with pytest.raises(ApplicationError, match="bits of key"):
        result(far.app.add_sa(OUT._replace(enc_key=bytes(3))))
    with pytest.raises(ApplicationError, match="end points"):
        result(far.app.add_policy(OUT_POLICY._replace(src=None)))
    with pytest.raises(ApplicationError, match="bundle"):
        result(far.app.group([name_of(IN), name_of(OUT)]))
    assert result(far.app.group([name_of(IN)])) is None
    assert not far.link.sent


def test_policies_are_replaced_and_deleted() -> None:
    world = World()
    number = result(world.app.add_policy(OUT_POLICY))
    discard = OUT_POLICY._replace(action=Action.DISCARD, src=None, dst=None, reqid=0)
    assert result(world.app.add_policy(discard)) == number
    assert [spec.action for _, spec in world.engine.policies()] == [Action.DISCARD]
    result(world.app.delete_policy(OUT_POLICY))
    assert not list(world.engine.policies())


def test_migrate_moves_policy_and_sas() -> None:
    world = World()
    result(world.app.add_policy(OUT_POLICY))
    result(world.app.add_sa(OUT))
    elsewhere = ip_address("198.51.100.1")
    result(world.app.migrate(OUT_POLICY, elsewhere, THEM))
    assert [spec.src for _, spec in world.engine.policies()] == [elsewhere]
    assert [spec.src for spec in world.engine.sas()] == [elsewhere]
    with pytest.raises(ApplicationError, match="ENOENT"):
        result(world.app.migrate(OUT_POLICY, elsewhere, THEM))


def test_a_migration_as_linux_answers_it() -> None:
    """A message to everybody, without the sender's pid and seq."""
    far = Far(private=False)
    far.tell(Type.X_MIGRATE, b"", 0)
    job = far.app.migrate(OUT_POLICY, THEM, US)
    far.app.receive(codec.message(Type.X_MIGRATE, 0, 0, 0))
    assert result(job) is None and not far.timers.pending()
    assert far.app.counters == {"ignored": 1}


def test_acquire_of_the_engine() -> None:
    world = World()
    result(world.app.add_policy(OUT_POLICY))
    flow = Selector.of("10.1.0.5/32", "10.2.0.9/32", 6, 0, 443)
    event = Acquire(7, flow, US, THEM)
    world.server.acquire(event)
    assert world.heard.events == [event]


@pytest.mark.parametrize("encap", [None, (4501, 4500)])
def test_packets_for_no_sa_are_reported(encap: tuple[int, int] | None) -> None:
    """RFC 7296 1.5: without the report nobody could send INVALID_SPI."""
    world = World()
    event = UnknownSpi(0x01020304, THEM, US, encap)
    world.server.unknown_spi(event)
    assert world.heard.events == [event]


def test_nothing_is_remembered_that_an_engine_says_itself() -> None:
    world = World()
    result(world.app.add_policy(OUT_POLICY))
    result(world.app.get_spi(REQUEST))
    result(world.app.update_sa(IN))
    assert not (world.app._policies or world.app._policy_ids or world.app._inbound)


def test_acquire_of_linux_names_the_policy_only() -> None:
    far = Far(private=False)
    job = far.app.add_policy(OUT_POLICY)
    policy = codec.policy(Policy(2, 2, 41))
    far.reply(far.link.sent[-1], policy + codec.traffic(NETS))
    assert result(job) == 41
    far.tell(Type.ACQUIRE, codec.addresses(US, THEM) + codec.proposal(32) + policy)
    assert far.heard.events == [Acquire(7, NETS, US, THEM)]
    far.tell(Type.ACQUIRE, codec.addresses(US, THEM) + codec.policy(Policy(2, 2, 42)))
    assert len(far.heard.events) == 1
    assert far.app.counters == {"acquire of an unknown policy": 1}


def test_expiry_and_mapping() -> None:
    world = World()
    spi = result(world.app.get_spi(REQUEST))
    inbound = IN._replace(spi=spi, encap=(4500, 4500))
    result(world.app.update_sa(inbound))
    events = [
        Expire(name_of(inbound), False),
        Mapping(name_of(inbound), ip_address("203.0.113.9"), 61000),
        Expire(name_of(inbound), True),
    ]
    world.server.expire(events[0])
    world.server.mapping(events[1])
    world.server.expire(events[2])
    world.server.mapping(events[1])
    assert world.heard.events == events
    assert world.app.counters == {"mapping of an unknown SA": 1}


def test_answers_that_never_come() -> None:
    far = Far(timeout_s=3.0)
    job = far.app.get_spi(REQUEST)
    far.clock = 2.9
    far.timers.run()
    assert not job.done
    far.clock = 3.0
    far.timers.run()
    with pytest.raises(ApplicationError, match="did not answer GETSPI in 3 s"):
        result(job)
    far.reply(far.link.sent[-1], codec.sa(Sa(0x1234)))
    assert far.app.counters == {"unanswered": 1, "ignored": 1}


def test_an_answer_ends_its_timer() -> None:
    far = Far()
    job = far.app.get_spi(REQUEST)
    far.reply(far.link.sent[-1], codec.sa(Sa(0x1234)))
    assert result(job) == 0x1234
    assert not far.timers.pending()


def test_answers_find_their_requests_in_any_order() -> None:
    far = Far()
    jobs = [far.app.get_spi(REQUEST) for _ in range(3)]
    for spi, request in reversed(list(enumerate(far.link.sent, 0x1000))):
        far.reply(request, codec.sa(Sa(spi)))
    assert [result(job) for job in jobs] == [0x1000, 0x1001, 0x1002]


def test_others_answers_are_not_ours() -> None:
    far = Far()
    job = far.app.get_spi(REQUEST)
    far.reply(far.link.sent[-1], codec.sa(Sa(0x1234)), pid=100)
    far.reply(far.link.sent[-1], codec.sa(Sa(0x1234)), type=Type.ADD)
    far.reply(far.link.sent[-1], codec.sa(Sa(0x1234)), seq=5)
    assert not job.done
    assert far.app.counters == {"ignored": 2, "unexpected": 1}


@pytest.mark.parametrize("body", [b"", codec.sa(Sa(5)), codec.sa2(codec.Sa2(1))])
def test_a_useless_answer_fails_the_job(body: bytes) -> None:
    far = Far()
    job = far.app.get_spi(REQUEST)
    far.reply(far.link.sent[-1], body)
    with pytest.raises(ApplicationError, match="the answer to GETSPI"):
        result(job)


def test_an_errno_without_words() -> None:
    far = Far()
    job = far.app.get_spi(REQUEST)
    far.reply(far.link.sent[-1], errno=errno.ENOBUFS)
    with pytest.raises(ApplicationError, match=r"No buffer space available \(ENOBUFS\)"):
        result(job)


def test_requests_in_flight_are_bounded() -> None:
    far = Far(limit=3)
    jobs = [far.app.get_spi(REQUEST) for _ in range(4)]
    assert [job.done for job in jobs] == [False, False, False, True]
    with pytest.raises(ApplicationError, match="3 requests wait"):
        result(jobs[3])


def test_policies_wait_their_turn_whatever_is_in_flight() -> None:
    """With more connections than requests may be in flight, none may stay without its policies."""
    far = Far(limit=3)
    specs = [OUT_POLICY._replace(reqid=number) for number in range(1, 6)]
    jobs = [far.app.add_policy(spec) for spec in specs]
    far.app.sweep()
    done = 0
    while done < len(far.link.sent):
        assert len(far.link.sent) <= done + 3
        far.reply(far.link.sent[done], codec.policy(Policy(2, 2, done + 1)))
        done += 1
    assert [result(job) for job in jobs] == [1, 2, 3, 4, 5]
    types = [codec.parse(data).type for data in far.link.sent]
    assert types == [Type.X_SPDUPDATE] * 5 + [Type.X_SWEEP], "in order: what is swept comes last"


def test_at_the_start_policies_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told that isakmpd runs finds them in force; later the loop is not held up."""
    far, waits = Far(), list[bool]()

    def answer(done: Callable[[], bool]) -> None:
        waits.append(done())
        for data in far.link.sent[-2:]:
            assert not done()
            far.reply(data, codec.policy(Policy(2, 2, 1)))
        assert done()

    monkeypatch.setattr(far.link, "wait", answer)
    for _ in range(2):
        far.app.add_policy(OUT_POLICY)
        far.app.sweep()
    assert waits == [False]


def test_policies_that_wait_fail_with_the_link() -> None:
    far = Far(limit=3)
    jobs = [far.app.add_policy(OUT_POLICY._replace(reqid=number)) for number in range(1, 6)]
    far.app.lost("it was unplugged")
    for job in jobs:
        with pytest.raises(ApplicationError, match="it was unplugged"):
            result(job)


def test_what_is_taken_back_at_the_end_waits_its_turn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orderly end gives the network back, however many policies there are."""
    far = Far(limit=3)
    jobs = [far.app.delete_policy(OUT_POLICY._replace(reqid=number)) for number in range(1, 6)]

    def answer(done: Callable[[], bool]) -> None:
        for number in range(5):
            assert not done()
            far.reply(far.link.sent[number])
        assert done()

    monkeypatch.setattr(far.link, "wait", answer)
    far.app.close()
    assert [job.error for job in jobs] == [None] * 5


def test_a_lost_link_fails_what_waits() -> None:
    far = Far()
    jobs = [far.app.get_spi(REQUEST), far.app.add_sa(OUT)]
    far.app.lost("it was unplugged")
    for job in jobs:
        with pytest.raises(ApplicationError, match="it was unplugged"):
            result(job)
    assert not far.timers.pending()
    far.link.sent.clear()
    far.app.up()
    (gone,) = far.heard.lost
    assert (gone.cause, gone.detail) == ("stack-gone", "the IPsec stack is gone: it was unplugged")
    assert gone.mend and far.heard.restarts == 1
    sent = [codec.parse(data) for data in far.link.sent]
    assert [message.type for message in sent] == [Type.REGISTER] * 3


def test_a_link_that_does_not_take_it() -> None:
    far = Far()
    far.link.error = ApplicationError("clogged")
    with pytest.raises(ApplicationError, match="clogged"):
        result(far.app.get_spi(REQUEST))
    with pytest.raises(ApplicationError, match="clogged"):
        PfKey(far.link, far.timers, wall=lambda: WALL).start(far.heard)


def test_close_fails_what_waits() -> None:
    far = Far()
    job = far.app.get_spi(REQUEST)
    far.app.close()
    assert not far.link.open_now
    with pytest.raises(ApplicationError, match="left"):
        result(job)
    world = World()
    world.app.close()
    with pytest.raises(ApplicationError, match="closed"):
        result(world.app.add_sa(OUT))


def test_sequence_numbers_stay_clear_of_the_kernels_and_of_each_other() -> None:
    far = Far()
    far.app._seq = 0xFFFFFFFF
    far.app.get_spi(REQUEST)
    far.app.get_spi(REQUEST)
    far.app._seq = 0xFFFFFFFF
    far.app.get_spi(REQUEST)
    seqs = [codec.parse(data).seq for data in far.link.sent]
    assert seqs == [0xFFFFFFFF, FIRST_SEQ, FIRST_SEQ + 1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(Type), some.u8, some.u8)
def test_whatever_the_stack_says(data: bytes, type: Type, number: int, satype: int) -> None:
    far = Far()
    jobs = [far.app.get_spi(REQUEST), far.app.usage(name_of(OUT)), far.app.add_policy(OUT_POLICY)]
    far.app.receive(data)
    body = data[: len(data) // 8 * 8]
    for job, request in zip(jobs, list(far.link.sent), strict=True):
        far.reply(request, body, errno=number)
        assert not (job.done and number) or isinstance(job.error, ApplicationError)
    far.app.receive(codec.message(type, satype, 1, 0, body))
    far.clock = 10.0
    far.timers.run()
    assert all(job.done for job in jobs)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_upcalls(data: st.DataObject) -> None:
    far = Far()
    body = codec.sa(Sa(0x1234, state=State.DYING)) + codec.addresses(US, THEM)
    body += codec.policy(Policy(2, 2, 1)) + codec.selectors(2, (NETS,))
    body += codec.nat_t_port(Ext.X_NAT_T_DPORT, 4500)
    for type in (Type.ACQUIRE, Type.EXPIRE, Type.X_NAT_T_NEW_MAPPING):
        message = bytearray(codec.message(type, 3, 1, 0, body))
        for _ in range(data.draw(st.integers(1, 4))):
            message[data.draw(st.integers(0, len(message) - 1))] = data.draw(some.u8)
        far.app.receive(bytes(message))


def test_udp_encapsulation_reaches_the_engine() -> None:
    world = World()
    spec = OUT._replace(mode=ipsec.Encapsulation.UDP_ENCAP_TUNNEL, encap=(4500, 30000))
    result(world.app.add_sa(spec))
    assert list(world.engine.sas()) == [spec._replace(mode=TUNNEL)]
