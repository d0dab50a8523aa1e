"""What is read of one configuration: each peer and each connection once, whoever asks for it."""

from __future__ import annotations

from isakmp.conf.store import Conf
from isakmp.policy.identity import Resolve
from isakmp.policy.reader import Common, read_connection, read_remote
from isakmp.policy.spd import Connection, Identity, Remote
from isakmp.policy.supported import Supports, supported


class Readings:
    """Those of a configuration, and of this host's addresses, as they are now.

    Whoever makes them gives them to who reads the same, and drops them before either changes: they
    do not notice. What cannot be read is told anew each time.
    """

    def __init__(self, conf: Conf, resolve: Resolve) -> None:
        self._conf, self._resolve = conf, resolve
        self._common = Common(conf, resolve)
        self._remotes: dict[str, Remote] = {}
        self._connections: dict[str, Connection] = {}
        self._carried: dict[str, tuple[Connection, list[str]]] = {}

    def remote(self, section: str) -> Remote:
        """A peer. ConfError where it is none, or is bad."""
        if section not in self._remotes:
            self._remotes[section] = read_remote(self._conf, section, self._resolve, self._common)
        return self._remotes[section]

    def connection(self, name: str) -> Connection:
        """A connection, whose peer is not read, only named. ConfError where it is none or bad."""
        if name not in self._connections:
            self._connections[name] = read_connection(self._conf, name, self._resolve, self._common)
        return self._connections[name]

    def carried(self, name: str, supports: Supports) -> tuple[Connection, list[str]]:
        """What the IPsec stack, which all ask alike, carries of a connection; see supported()."""
        if name not in self._carried:
            self._carried[name] = supported(self.connection(name), supports)
        return self._carried[name]

    def identity(self, section: str) -> Identity:
        """An identity. ConfError where it is none, or is bad."""
        return self._common.identity(section)
