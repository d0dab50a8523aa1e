"""The one exception tree, and Reason: what a decision was made from.

A codec raises MalformedPayload and nothing else; the configuration ConfError; the crypto layer
CryptoError; an application ApplicationError; a step of a script raises Refused. The engine turns
each into one log line, one entry of the report and, where the protocol has one, a notify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from isakmp.causes import MENDS

# Characters of one part of a Reason, as a peer may say 64 kB at once; and where it is told briefly.
PART_MAX, BRIEF_PART = 2000, 160


class Part(NamedTuple):
    """One part of what is compared: the peer's and ours. fits: it does not keep them apart."""

    what: str
    theirs: str
    ours: str
    fits: bool = True


# What the log and the tables print of a Reason, in that order, and how they call it.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "came": "came",
        "acceptable": "acceptable",
        "offered": "we offered",
        "line": "line",
        "mend": "mend",
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was refused or chosen: the log, the report and ``explain`` print from it.

    cause: a stable short name, e.g. ``no-proposal-chosen``; detail: one sentence for people;
    came: what the peer sent; acceptable: what would have been taken; line: the configuration
    line that decided, as ``file:line [section]:tag``; misses: a line per candidate tried, the
    nearest first; mend: what to change, and where, that of the cause where none is given;
    beside: the nearest candidate, part by part; means: what a peer's notify can and cannot
    mean; offered: what we had asked the peer for that refuses. Each is bounded: reasons are kept.
    """

    cause: str
    detail: str
    came: str = ""
    acceptable: str = ""
    line: str = ""
    misses: tuple[str, ...] = ()
    mend: str = ""
    beside: tuple[Part, ...] = ()
    means: tuple[str, ...] = ()
    offered: str = ""

    def __post_init__(self) -> None:
        if not self.mend:
            object.__setattr__(self, "mend", MENDS.get(self.cause, ""))
        told = self.detail, self.came, self.acceptable, self.offered, *self.misses
        if max(map(len, told)) > PART_MAX:
            self._bound()

    def _bound(self) -> None:
        """Cut what is too long."""
        for name in ("detail", "came", "acceptable", "offered"):
            object.__setattr__(self, name, _cut(getattr(self, name), PART_MAX))
        misses = tuple(_cut(miss, PART_MAX) for miss in self.misses)
        object.__setattr__(self, "misses", misses)

    def __str__(self) -> str:
        parts = [f"{self.cause}: {self.detail}"]
        for name, label in LABELS.items():
            if text := getattr(self, name):
                parts.append(f"{label}: {text}")
        parts.extend(f"tried: {miss}" for miss in self.misses)
        return "; ".join(parts)

    def brief(self) -> str:
        """One short line, for what anybody can provoke: the nearest miss, each part cut."""
        parts = [
            ("", f"{self.cause}: {self.detail}"), ("came: ", self.came),
            ("acceptable: ", self.acceptable), ("line: ", self.line), ("mend: ", self.mend),
            ("tried: ", self.misses[0] if self.misses else ""),
        ]  # fmt: skip
        more = f" ({len(self.misses) - 1} more in outcomes)" if len(self.misses) > 1 else ""
        told = [(label, text if len(text) <= BRIEF_PART else _cut(text)) for label, text in parts]
        return "; ".join([label + text for label, text in told if text]) + more

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something, JSON-ready."""
        return {name: _plain(value) for name, value in asdict(self).items() if value}


def _plain(value: Any) -> Any:
    """Lists for tuples."""
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _cut(text: str, most: int = BRIEF_PART) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


class IsakmpError(Exception):
    """Whatever isakmpd itself raises. host_at_fault: not what was asked for is wrong, but this
    host, so that the same would fail whoever asks."""

    host_at_fault = False

    def kept(self) -> Self:
        """The same, to be kept where what caught it is known from: without the frames that it came
        through, which know it in turn."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


class HostError(IsakmpError):
    """A file or directory of isakmpd's own that cannot be used."""

    host_at_fault = True


class MalformedPayload(IsakmpError):
    """A packet that does not follow its RFC: the only exception out of a codec.

    path: where, e.g. ``SA.proposal[0].transform[2]``; offset: octets from the start of the
    ISAKMP message; rfc: the section that says otherwise.
    """

    def __init__(self, path: str, offset: int, reason: str, rfc: str = "") -> None:
        super().__init__(path, offset, reason, rfc)
        self.path, self.offset, self.reason, self.rfc = path, offset, reason, rfc

    def __str__(self) -> str:
        tail = f" ({self.rfc})" if self.rfc else ""
        return f"{self.path} at octet {self.offset}: {self.reason}{tail}"


class ConfError(IsakmpError):
    """A configuration that cannot be used: file, line, section and tag where known, and a hint.

    missing: of something that is not there; who is not done yet may still write it.
    holds: what counts as it is refused, where it is told of a change. mend: what can be done, where
    isakmpd --check does not tell of it.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str = "",
        line: int = 0,
        section: str = "",
        tag: str = "",
        hint: str = "",
        missing: bool = False,
        mend: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.file, self.line = reason, file, line
        self.section, self.tag, self.hint, self.missing = section, tag, hint, missing
        self.holds, self.mend = "", mend

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"[{self.section}]" if self.section else ""
        where += f":{self.tag}" if self.tag else ""
        return ": ".join(filter(None, (" ".join(filter(None, (place, where))), self._told())))

    def _told(self) -> str:
        told = f"{self.reason} ({self.hint})" if self.hint else self.reason
        return f"{told}; {self.holds}" if self.holds else told

    def as_reason(self, mend: str = "") -> Reason:
        """Why what it is about is left out. mend: where the error itself knows none."""
        tag = f":{self.tag}" if self.tag else ""
        line = f"{self.file}:{self.line} [{self.section}]{tag}" if self.line else self.file
        return Reason("bad-configuration", self._told(), line=line, mend=self.mend or mend)


class CryptoError(IsakmpError):
    """A key, public value, ciphertext or algorithm that cannot be used."""


class WorkError(IsakmpError):
    """Who was to compute something has ended over it, or did not answer. Nothing is said to be
    wrong with what was asked: whoever waits for it gives up what it was for."""

    host_at_fault = True


class ApplicationError(IsakmpError):
    """The IPsec stack refused a request, or is gone. mend: what can be done, where known."""

    host_at_fault = True

    def __init__(self, text: str, mend: str = "") -> None:
        super().__init__(text)
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.args[0]}; mend: {self.mend}" if self.mend else str(self.args[0])


class NoSuchSa(ApplicationError):
    """The IPsec stack has no SA of that name, or none any more."""


@dataclass
class Refused(IsakmpError):
    """A step refuses the exchange. notify: the type the peer is told (0: nothing); protocol, spi:
    the SA that it is about, in IKEv2."""

    reason: Reason
    notify: int = 0
    data: bytes = field(default=b"", repr=False)
    protocol: int = 0
    spi: bytes = b""

    def __str__(self) -> str:
        return str(self.reason)


def reason_of(error: Exception) -> Reason:
    """Why something ended in that error."""
    if isinstance(error, Refused):
        return error.reason
    return Reason("failed", str(error) if isinstance(error, IsakmpError) else repr(error))
