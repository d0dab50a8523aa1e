"""The tables of one instance: what comes or goes in clear past the key engine's device is dropped.

A table is never changed in a way that opens it: a policy that comes is added to it, and where one
goes the next table is made, complete, before this one is deleted. Tables are nobody's, and outlive
a process that is killed; the next one of the instance knows them by their names. What the kernel
refuses is tried again until it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from isakmp.app.base import Direction, PolicySpec
from isakmp.app.nft import messages, rules
from isakmp.app.nft.link import Link
from isakmp.app.nft.messages import Msg
from isakmp.app.nft.news import News
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Event
from isakmp.log.log import Log
from isakmp.policy.spd import Selector

_Place = tuple[Direction, Selector]
IKE_PORTS = (500, 4500)
# Policies go in crowds, and a new table has all that remain.
PAUSE_S = 0.5
RETRY_S, REMIND_S = 5.0, 60.0


class Tables:
    """What keeps policies of IPv6. ApplicationError where the kernel cannot.

    instance: a number that is this one's alone; device: the key engine's; mark: of what its own
    sockets send. What a killed process has left is in force until sweep().
    """

    def __init__(self, loop: Loop, log: Log, instance: int, device: str, mark: int) -> None:
        self._timers, self._log, self._device, self._mark = loop.timers, log, device, mark
        self._prefix = f"isakmpd-{instance:016x}-"
        self._specs: dict[_Place, PolicySpec] = {}
        self._new: list[PolicySpec] = []
        self._ports = dict.fromkeys(IKE_PORTS)
        self._current, self._stale = "", False
        self._told, self._remind_at = "", 0.0
        self._event: Event | None = None
        self._link = Link()
        try:
            self._left = self._adopt()
            self._try_out()
            self._news = News(loop, self._gone)
        except ApplicationError:
            self._link.close()
            raise
        self._number = max(map(self._number_of, self._left), default=0)

    def _adopt(self) -> list[str]:
        """The tables that were left; what comes by our device passes them."""
        ours = re.compile(rf"{self._prefix}\d+").fullmatch
        left = sorted((n for n in self._link.tables() if ours(n)), key=self._number_of)
        self._delete(*left[1:-1])  # of those who were killed before they were done
        del left[1:-1]
        for name in left:
            with suppress(ApplicationError):  # a table that somebody has changed
                self._link.carry_out(rules.exempt(name, self._device))
        return left

    def _try_out(self) -> None:
        """A table that goes in the batch that it comes in. ApplicationError where none can be."""
        name = f"{self._prefix}0"
        gone = messages.table(Msg.DELTABLE, name)
        self._link.carry_out([*self._frame(name), gone])

    def _frame(self, name: str) -> list[bytes]:
        return rules.frame(name, self._device, self._ports, self._mark)

    def _number_of(self, name: str) -> int:
        return int(name.removeprefix(self._prefix))

    def add(self, spec: PolicySpec) -> None:
        """Keep back what a policy protects; let pass what it lets pass."""
        before = self._specs.get(_place(spec))
        self._specs[_place(spec)] = spec
        if before is None:
            self._new.append(spec)
            self._write_in(0)
        elif before.action is not spec.action:
            self._stale = True
            self._write_in(0)

    def delete(self, spec: PolicySpec) -> None:
        """Take that back."""
        if self._specs.pop(_place(spec), None) is not None:
            self._stale = True
            self._write_in(PAUSE_S)

    def exempt(self) -> None:
        """It is, by its name, which it keeps."""

    def listens(self, port: int) -> None:
        """What comes to a UDP port of ours is IKE, or ESP in UDP."""
        if port not in self._ports:
            self._ports[port] = None
            self._stale = True
            self._write_in(0)

    def _gone(self, name: str) -> None:
        """Something was taken from a table; where that is ours it is made anew."""
        if not self._current or name not in ("", self._current):
            return
        if not name and self._is_there():
            return
        self._stale = True
        if self._write():
            self._log.internal_err(
                "somebody took rules of nftables away that keep IPv6 back; they are there again."
                " Who changes nftables on this host must leave tables %s* alone", self._prefix,
            )  # fmt: skip

    def _is_there(self) -> bool:
        """Whether our table is; not where the kernel does not say."""
        try:
            return self._current in self._link.tables()
        except ApplicationError:
            return False

    def _write_in(self, pause_s: float) -> None:
        due = self._timers.now() + pause_s
        if self._event is not None and self._event.pending:
            if self._event.when <= due:
                return
            self._event.cancel()
        self._event = self._timers.add("tables of the guard", pause_s, self._write)

    def _write(self) -> bool:
        """Tell the kernel what has changed; whether it holds now."""
        if self._event is not None:
            self._event.cancel()
        try:
            if not self._added():
                self._replace()
        except ApplicationError as error:
            self._stale = True
            self._tell(error)
            self._write_in(RETRY_S)
            return False
        self._new.clear()
        self._stale = False
        self._holds_again()
        return True

    def _added(self) -> bool:
        """Whether what is new could be added to the table that there is."""
        if self._stale or not self._current:
            return False
        try:
            self._link.carry_out(self._rules(self._current, self._new))
        except ApplicationError:
            return False
        return True

    def _replace(self) -> None:
        """The next table, with all there is; then this one goes. ApplicationError."""
        before, name = self._current, ""
        if self._specs:
            self._number += 1
            name = f"{self._prefix}{self._number}"
            try:
                self._link.carry_out(self._frame(name))
                self._link.carry_out(self._rules(name, self._specs.values()))
            except ApplicationError:
                self._delete(name)
                raise
        self._current = name
        if before:
            self._delete(before)

    @staticmethod
    def _rules(table: str, specs: Iterable[PolicySpec]) -> list[bytes]:
        return [message for spec in specs for message in rules.of_policy(table, spec)]

    def _delete(self, *names: str) -> None:
        for name in names:
            with suppress(ApplicationError):  # somebody else has
                self._link.carry_out([messages.table(Msg.DELTABLE, name)])

    def _tell(self, error: ApplicationError) -> None:
        """At once, and every minute while it lasts."""
        now = self._timers.now()
        if self._told != str(error) or now >= self._remind_at:
            self._told, self._remind_at = str(error), now + REMIND_S
            self._log.internal_err(
                "the kernel does not drop all IPv6 that passes %s by in clear: %s; this is tried"
                " again every %g s", self._device, error, RETRY_S,
            )  # fmt: skip

    def _holds_again(self) -> None:
        if self._told:
            self._told = ""
            self._log.info("the kernel drops IPv6 that passes %s by again", self._device)

    def sweep(self) -> int:
        """All policies are there: the tables that were left go; how many that were."""
        if not self._write():
            return 0
        left, self._left = self._left, []
        self._delete(*left)
        return len(left)

    def close(self) -> None:
        """Leave; what is there stays."""
        if self._event is not None and self._event.pending:
            self._write()
            self._event.cancel()
        self._news.close()
        self._link.close()


def _place(spec: PolicySpec) -> _Place:
    return spec.direction, spec.selector
