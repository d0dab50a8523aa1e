"""What a daemon is doing, as plain values: for the report, for isakmpctl and for --json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isakmp.app.base import Usage
from isakmp.chosen import ChosenIpsec
from isakmp.conf.store import Conf
from isakmp.constants import IKEV1, IKEV2, ikev2, ipsec, isakmp, name_of
from isakmp.constants.key_exchange import method_name
from isakmp.errors import ConfError, Reason
from isakmp.exchange.candidates import leaves
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange
from isakmp.keeper.connection import Connections
from isakmp.keeper.entry import Entry
from isakmp.keeper.flows import kept_back
from isakmp.policy.match import TRANSFORM_REGISTRIES
from isakmp.policy.reader import bypass_names, connection_names, passive_names
from isakmp.policy.spd import Connection, Remote
from isakmp.policy.traffic import (
    agreed,
    carries_all,
    configured,
    describe,
    selector_text,
)
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.sa_database import SaDatabase

ROWS_MAX = 20000
AGREED_MAX = 8  # lines of what a connection's clients have been given
EXCHANGES = {IKEV1: isakmp.Exchange, IKEV2: ikev2.Exchange}
_VERSIONS = {IKEV1: 1, IKEV2: 2}
LET_PASS_NO_MORE = (
    "as without the bypass: protected or dropped where a connection covers it, else in clear"
)
NO_STACK = "no stack"  # the state of what carries nothing, as the IPsec stack is gone
NO_USAGE = Usage(0, 0, 0.0, 0.0)


def isakmp_row(sa: IsakmpSa, now: float) -> dict[str, Any]:
    """One ISAKMP SA."""
    path, chosen = sa.path, sa.chosen
    return {
        "phase": 1,
        "name": sa.remote.name,
        "state": sa.state.value,
        "initiator": sa.initiator,
        "version": _VERSIONS[sa.dialect],
        "exchange": name_of(EXCHANGES[sa.dialect], sa.exchange_type),
        "local": path.near,
        "remote": path.far,
        "cookies": f"{sa.cky_i.hex()}:{sa.cky_r.hex()}",
        "prf": "",
        "additional": [],
        "auth": "",
        **chosen.row(),
        "nat_t": str(sa.nat),
        "ppk": sa.ppk.row() if sa.ppk else None,
        "local_id": str(sa.local_id),
        "remote_id": str(sa.remote_id),
        "age_s": round(now - sa.established, 3),
        "soft_s": sa.soft_s,
        "hard_s": sa.hard_s,
        "reason": chosen.name,
    }


def _key_exchanges(chosen: ChosenIpsec) -> dict[str, Any]:
    """Those that are done with each rekeying."""
    return {
        "pfs": method_name(chosen.group) if chosen.group else "",
        "additional": list(map(method_name, chosen.additional)),
    }


def child_row(child: ChildSa, sas: SaDatabase, now: float, gone: Reason | None) -> dict[str, Any]:
    """One child SA: its first protocol, and the counters of both directions as last asked.

    local_selectors, remote_selectors: the traffic that was agreed on, written as in the
    configuration; selector: the first of it, as the IPsec stack has it; gone: that is gone.
    """
    protocol = child.protocols[0]
    chosen = protocol.chosen
    registry = TRANSFORM_REGISTRIES.get(chosen.protocol, ipsec.Esp)
    parent, traffic = sas.isakmp.get(child.cookies), agreed(child)
    received, sent = (usage or NO_USAGE for usage in child.usage)
    return {
        "phase": 2,
        "name": child.connection.name,
        "state": NO_STACK if gone else child.state.value,
        "initiator": child.initiator,
        "cookies": f"{parent.cky_i.hex()}:{parent.cky_r.hex()}" if parent else "",
        "message_id": f"{child.message_id:08x}",
        "protocol": "+".join(
            name_of(isakmp.Protocol, p.chosen.protocol).removeprefix("IPSEC_")
            for p in child.protocols
        ),
        "mode": name_of(ipsec.Encapsulation, chosen.encapsulation),
        "encryption": name_of(registry, chosen.transform_id),
        "key_bits": chosen.key_bits,
        "auth": name_of(ipsec.Auth, chosen.auth) if chosen.auth else "",
        **_key_exchanges(chosen),
        "spi_in": f"0x{protocol.spi_in:08x}",
        "spi_out": f"0x{protocol.spi_out:08x}",
        "local": str(child.path.local),
        "remote": str(child.path.remote),
        "selector": str(child.selector),
        "local_selectors": [selector_text(one) for one in traffic.local],
        "remote_selectors": [selector_text(one) for one in traffic.remote],
        "packets_in": received.packets,
        "bytes_in": received.octets,
        "packets_out": sent.packets,
        "bytes_out": sent.octets,
        "replays": received.replays,
        "auth_failures": received.auth_failures,
        "age_s": round(now - child.established, 3),
        "soft_s": child.limits.soft_s,
        "hard_s": child.limits.hard_s,
        "encap": child.encap,
        "reason": gone.to_dict() if gone else None,
    }


def exchange_row(
    engine: Engine, exchange: Exchange, now: float, since_start: float
) -> dict[str, Any]:
    """One running exchange. began: seconds since 1970; answers: how many are followed of those that
    its peer, or somebody else, has given; it is where the newest is. reason: what it ends for
    unless better comes."""
    candidates, reason = leaves(exchange), engine.so_far(exchange)
    exchange = candidates[-1]
    return {
        "id": exchange.number,
        "exchange": exchange.script.name,
        "name": exchange.name or exchange.remote.name,
        "peer": exchange.remote.name,
        "phase": exchange.phase,
        "initiator": exchange.initiator,
        "step": exchange.step,
        "parked": exchange.parked,
        "retries": exchange.retries,
        "path": str(exchange.way),
        "message_id": f"{exchange.message_id:08x}",
        "age_s": round(now - exchange.created, 3),
        "began": round(exchange.created + since_start, 3),
        "answers": sum(each.answered for each in candidates),
        "remote": str(exchange.path.remote),
        "reason": reason.to_dict() if reason else None,
    }


def connection_row(
    entry: Entry, sas: SaDatabase, now: float, since_start: float, gone: Reason | None,
    so_far: Reason | None,
) -> dict[str, Any]:  # fmt: skip
    """One connection as it is kept; local_selectors, remote_selectors: the traffic it may have;
    agreed: that which it has, where that is less, and less: why; up_since: seconds since 1970, None
    where it is not up; not_replaced: of what is up, when it was to be replaced last and was not,
    and why; silent_s: for how long a peer of it is silent that is being asked whether it lives;
    gone: why there is no IPsec stack, which nothing is up without; so_far: what is in the way of
    the try that is under way."""
    children = sas.of_connection(entry.connection.name)
    up = [child for child in children if child.state is State.ESTABLISHED and not gone]
    traffic, reason, came = configured(entry.connection), gone or entry.reason, entry.up_since
    return {
        "name": entry.connection.name,
        "peer": entry.remote.name,
        "state": NO_STACK if gone else "up" if up else entry.state,
        "passive": entry.connection.passive,
        "tries": entry.tries,
        "local_selectors": [selector_text(one) for one in traffic.local],
        "remote_selectors": [selector_text(one) for one in traffic.remote],
        "up_since": round(came + since_start, 3) if up and came is not None else None,
        "agreed": (agreed_on := _less(entry.connection, up)),
        "less": less.to_dict() if agreed_on and (less := _why_less(entry, up)) else None,
        "silent_s": _silent_s(children, sas, now),
        "not_replaced": _not_replaced(entry, since_start) if up else None,
        "so_far": so_far.to_dict() if so_far and not gone and not up else None,
        "reason": reason.to_dict() if reason and not up else None,
    }


def _not_replaced(entry: Entry, since_start: float) -> dict[str, Any] | None:
    """What became of the last try to replace a child SA, where it failed."""
    if entry.failure is None or entry.failure == entry.less:
        return None
    return {"when": round(entry.failed + since_start, 3), "reason": entry.failure.to_dict()}


def _less(connection: Connection, children: Sequence[ChildSa]) -> list[str]:
    """What the child SAs of a connection are for, a line each, where they leave some of it out."""
    if carries_all(connection, children):
        return []
    lines = list(dict.fromkeys(describe(agreed(child)) for child in children))
    more = len(lines) - AGREED_MAX
    return [*lines[:AGREED_MAX], f"and {more} more"] if more > 0 else lines


def _why_less(entry: Entry, up: Sequence[ChildSa]) -> Reason | None:
    """Why there is no more: what the peer has said, or else what was asked for. Of what is passive
    each client has a part."""
    if entry.less is not None or entry.connection.passive:
        return entry.less
    newest, connection = up[-1], entry.connection
    if newest.parent is not None and (newest.cut or newest.initiator):
        return newest.cut
    detail, mend = (
        f"the peer asks for less traffic than [{connection.name}] has",
        "make the selectors of both ends the same, crosswise",
    )
    if newest.parent is None:  # RFC 2409 5.5
        detail = f"IKEv1 negotiates the first local and remote selector of [{connection.name}] only"
        mend = "make a connection of each pair, or set Key-exchange= ikev2 at both ends"
    return Reason("narrowed", detail, came=describe(agreed(newest)),
                  acceptable=describe(configured(connection)), line=connection.line,
                  mend=mend)  # fmt: skip


def _silent_s(children: Sequence[ChildSa], sas: SaDatabase, now: float) -> float | None:
    served = [child for child in children if child.state is State.ESTABLISHED]
    under = {child.parent or sas.current(child.peer) for child in served}
    silent = [sa.silent_s(now) for sa in under if sa is not None and sa.dpd_waiting]
    return round(max(silent), 3) if silent else None


def left_out_rows(connections: Connections) -> list[dict[str, Any]]:
    """Connections and bypasses that are left out for an error, in the form of connection_row().

    fate: what becomes of its traffic; bypass: whether it is one.
    """
    catalog = connections.catalog
    conf, passive, errors = catalog.conf, passive_names(catalog.conf), dict(catalog.left_out[::-1])
    rows = [
        _left_out(conf, errors[name], name, peer=conf.get(name, "ISAKMP-peer") or "",
                  passive=name in passive, fate=_fate(connections, name, name in passive))
        for name in connection_names(conf)
        if name in errors and name not in catalog.connections
    ]  # fmt: skip
    return rows + [
        {**_left_out(conf, errors[name], name, fate=_fate_of_bypass(connections, name)),
         "bypass": True}
        for name in bypass_names(conf)
        if name in errors and name not in catalog.bypass
    ]  # fmt: skip


def _left_out(
    conf: Conf, error: ConfError, name: str, *, peer: str = "", passive: bool = False, fate: str
) -> dict[str, Any]:
    return {
        "name": name,
        "peer": peer,
        "state": "left out",
        "passive": passive,
        "tries": 0,
        "local_selectors": [],
        "remote_selectors": [],
        "up_since": None,
        "agreed": [],
        "less": None,
        "silent_s": None,
        "not_replaced": None,
        "so_far": None,
        "fate": fate,
        "reason": error.as_reason(conf.mend).to_dict(),
    }


def told_at_start(connections: Connections) -> list[str]:
    """A line for each connection and bypass that is left out, with its first error; those first
    whose traffic is not dropped, with that."""
    catalog, bare, dropped = connections.catalog, [], []
    passive = passive_names(catalog.conf)
    for name, error in dict(reversed(catalog.left_out)).items():
        if fate := name in catalog.shut and not_dropped(connections, name, name in passive):
            bare.append(f"left out: {name}: its traffic is {fate}: {error}")
        else:
            dropped.append(f"left out: {name}: {error}")
    return bare[::-1] + dropped[::-1]


def kept_open(connections: Connections) -> list[tuple[str, ConfError]]:
    """The passive connections that are left out whose traffic with everybody is not dropped."""
    catalog, passive = connections.catalog, passive_names(connections.catalog.conf)
    found = ((name, kept_back(each, passive=True), each) for name, each in catalog.closed.items())
    return [
        (
            name,
            catalog.conf.error("with everybody its traffic is not dropped, as it is passive", name),
        )
        for name, kept, each in found
        if name in passive and len(kept) < len(each)
    ]


def not_dropped(connections: Connections, name: str, passive: bool) -> str:
    """What of the traffic of a connection that is left out is not dropped; empty: all is."""
    if not connections.settings.flows:
        return "not dropped: isakmpd installs no policies"
    closed, shut = connections.catalog.closed.get(name), connections.catalog.shut[name]
    if shut.unread:  # nor its far side alone, or that is everybody
        as_far = "dropped as far as it can be read, and the rest not"
        return as_far if closed else "not dropped: it cannot be read"
    if closed and len(kept_back(closed, passive=passive)) < len(closed):
        return "not dropped where its remote network is everybody, as it is passive"
    return ""


def _fate(connections: Connections, name: str, passive: bool) -> str:
    """What becomes of the traffic of a connection that is left out."""
    if bare := not_dropped(connections, name, passive):
        return bare
    shut = connections.catalog.shut[name]
    if name not in connections.catalog.closed:
        return "that of another, as it was likely meant"
    if shut.far:
        return "all that is with its far side is dropped, unless that is everybody"
    return "dropped, as it was likely meant" if shut.guessed else "dropped"


def _fate_of_bypass(connections: Connections, name: str) -> str:
    """The same of a bypass, which may have been a connection before."""
    closed = name in connections.catalog.closed
    return _fate(connections, name, passive=False) if closed else LET_PASS_NO_MORE


def _exchanges(remote: Remote) -> list[str]:
    return ["IKEv2" if name == IKEV2 else remote.exchange.name for name in remote.key_exchange]


def _proposals(remote: Remote) -> list[str]:
    """Their names, of what each speaks in its turn."""
    first = [one.name for one in remote.transforms]
    second = [one.name for one in remote.proposals]
    return [one for name in remote.key_exchange for one in (first if name == IKEV1 else second)]


def status(
    engine: Engine, connections: Connections, transports: list[dict[str, object]],
    drops: dict[str, int], gone: Reason | None, wall: float,
) -> dict[str, Any]:  # fmt: skip
    """Everything. drops: packets that the IPsec stack threw away, by cause; gone: why it is not
    there; wall: seconds since 1970 now, for the times of outcomes."""
    now, sas = engine.now(), engine.sas
    since_start = wall - now
    children = [child_row(c, sas, now, gone) for c in sas.all_children()[:ROWS_MAX]]
    return {
        "sas": [isakmp_row(sa, now) for sa in list(sas.isakmp.values())[:ROWS_MAX]] + children,
        "exchanges": [
            exchange_row(engine, x, now, since_start) for x in engine.under_way() if x.stem is None
        ],
        "connections": [
            connection_row(entry, sas, now, since_start, gone, connections.so_far(entry))
            for entry in connections.entries.values()
        ]
        + left_out_rows(connections),
        "peers": [
            {
                "name": remote.name,
                "address": str(remote.address or "any"),
                "exchange": ", ".join(_exchanges(remote)),
                "proposals": ", ".join(dict.fromkeys(_proposals(remote))),
            }
            for remote in connections.catalog.remotes.values()
        ],
        "transports": transports,
        "timers": [
            {"name": event.name, "in_s": round(event.when - now, 3)}
            for event in engine.timers.pending()[:ROWS_MAX]
        ],
        "outcomes": [
            {**outcome.to_dict(), "when": round(outcome.when + since_start, 3)}
            for outcome in engine.outcomes.all()
        ],
        "counters": dict(engine.counters),
        "drops": drops,
    }
