"""What is read of one configuration: each peer and each connection once, whoever asks for it."""

from __future__ import annotations

from functools import cached_property

from isakmp.conf.store import Conf
from isakmp.policy.identity import Resolve
from isakmp.policy.reader import passive_names, read_connection, read_remote
from isakmp.policy.spd import Connection, Remote


class Readings:
    """Those of a configuration, and of this host's addresses, as they are now.

    Whoever makes them gives them to who reads the same, and drops them before either changes: they
    do not notice. What cannot be read is told anew each time.
    """

    def __init__(self, conf: Conf, resolve: Resolve) -> None:
        self._conf, self._resolve = conf, resolve
        self._remotes: dict[str, Remote] = {}
        self._connections: dict[str, Connection] = {}

    def remote(self, section: str) -> Remote:
        """A peer. ConfError where it is none, or is bad."""
        if section not in self._remotes:
            self._remotes[section] = read_remote(self._conf, section, self._resolve)
        return self._remotes[section]

    def connection(self, name: str) -> Connection:
        """A connection, whose peer is not read, only named. ConfError where it is none or bad."""
        if name not in self._connections:
            self._connections[name] = read_connection(
                self._conf, name, self._resolve, self._passive
            )
        return self._connections[name]

    @cached_property
    def _passive(self) -> frozenset[str]:
        return passive_names(self._conf)
