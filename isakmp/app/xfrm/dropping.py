"""Policies of the kernel that drop IPv4 traffic, beside the key engine.

The engine's device is exempt by its own settings (disable_xfrm, disable_policy); the sockets of
ESP and IKE are by theirs.
"""

from __future__ import annotations

from pathlib import Path

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.xfrm import values
from isakmp.app.xfrm.link import Link
from isakmp.app.xfrm.policies import Policies, present
from isakmp.app.xfrm.watch import watch
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Event
from isakmp.log.log import Log
from isakmp.policy.spd import Selector

_EXEMPT = ("disable_xfrm", "disable_policy")


class Dropping:
    """The dropping policies of one instance. ApplicationError where the kernel has none.

    Those that a killed process of the same instance left are kept until sweep().
    """

    def __init__(self, loop: Loop, log: Log, number: int, device: str) -> None:
        self._log, self._device, self._timers = log, device, loop.timers
        self._new: dict[tuple[Direction, Selector], PolicySpec] = {}
        self._event: Event | None = None
        self.exempt()
        self._link = Link(loop, log)
        try:
            indices = values.of_guard(number, present(self._link))
            self._policies = Policies(self._link, indices)
            self._policies.adopt()
            watch(self._link, self._policies, log)
        except ApplicationError:
            self._link.close()
            raise

    def exempt(self) -> None:
        """What goes through the key engine's device is judged by the engine. ApplicationError."""
        for setting in _EXEMPT:
            path = Path(f"/proc/sys/net/ipv4/conf/{self._device}/{setting}")
            try:
                path.write_text("1")
            except OSError as error:
                raise ApplicationError(f"{path}: {error.strerror}") from None

    def listens(self, port: int) -> None:
        """IKE's sockets are exempt themselves."""

    def add(self, spec: PolicySpec) -> None:
        """Drop what a policy protects; let pass what it lets pass. The kernel hears of all that
        come together at once: one by one they would take a tenth of a handshake's time."""
        if not self._new:
            self._event = self._timers.add("guard of the key engine", 0, self._write)
        action = Action.BYPASS if spec.action is Action.BYPASS else Action.DISCARD
        traffic = spec.direction, spec.selector
        self._new[traffic] = PolicySpec(*traffic, action)

    def _write(self) -> None:
        if self._event is not None:
            self._event.cancel()
        new, self._new = list(self._new.values()), {}
        for spec, asked in zip(new, self._policies.add_all(new), strict=True):
            asked.otherwise(self._refused, spec)

    def _refused(self, spec: PolicySpec, error: Exception) -> None:
        self._log.internal_err(
            "%s %s is not guarded by the kernel: %s; what passes the key engine's device by is"
            " kept back by its routes alone", spec.direction.value, spec.selector, error,
        )  # fmt: skip

    def delete(self, spec: PolicySpec) -> None:
        """Take the guard of a policy away."""
        self._write()
        self._policies.delete(spec)

    def sweep(self) -> int:
        """Take away what was left and has not been added again; how much that was."""
        self._write()
        return self._policies.sweep()

    def close(self) -> None:
        """Leave; what is there stays."""
        self._write()
        self._link.close()
