"""The rows of IKEv2: algorithms, how it begins, traffic selectors, identities, what comes later."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from regress.interop.scenario import PLAIN, Act, Probe, Role, Scenario, Side, Suite

_ESP = "aes128gcm16"
_BASE = Scenario("v2", version=2, ike=Suite(group=31), esp=Suite(group=None))
_INITIATOR, _RESPONDER = Role


def _row(name: str, a: Side = PLAIN, b: Side | None = None, **fields: object) -> Scenario:
    """A row whose ends are alike, or not."""
    sides = (a, a if b is None else b)
    return replace(_BASE, name=f"v2-{name}", sides=sides, **fields)  # type: ignore[arg-type]


# --- algorithms ------------------------------------------------------------------------------

# The IKE SA and ESP alike, but for a group: name, both, and a prf where the cipher has none.
_CIPHERS = (
    ("aes128-sha256", ""),
    ("aes192-sha256", ""),
    ("aes256-sha384", ""),
    ("aes256-sha512", ""),
    ("aes128-sha1", ""),
    ("aes128-md5", ""),
    ("3des-sha1", ""),
    ("camellia128-sha256", ""),
    ("camellia256-sha512", ""),
    ("aes128ctr-sha256", ""),
    ("aes128-aesxcbc", ""),
    ("aes128gcm16", "prfsha256"),
    ("aes192gcm16", "prfsha384"),
    ("aes256gcm16", "prfsha512"),
    ("aes128gcm8", "prfsha256"),
    ("aes128gcm12", "prfsha256"),
    ("aes256gcm8", "prfsha1"),
    ("aes128ccm16", "prfsha256"),
    ("aes128ccm8", "prfsha256"),
    ("aes256ccm12", "prfmd5"),
    ("chacha20poly1305", "prfsha256"),
)
# Of the IKE SA alone.
_IKE_ONLY = (
    "aes128-aescmac-prfsha256",
    "aes128-sha256-prfaesxcbc",
    "aes128-sha256-prfaescmac",
    "aes256gcm16-prfaesxcbc",
    "aes128-aesxcbc-prfaesxcbc",
)
_GROUPS = (
    ("modp1024", 2), ("modp1536", 5), ("modp2048", 14), ("modp3072", 15), ("modp4096", 16),
    ("ecp256", 19), ("ecp384", 20), ("ecp521", 21), ("ecp192", 25), ("ecp224", 26),
    ("ecp256bp", 28), ("ecp384bp", 29), ("ecp512bp", 30), ("x25519", 31), ("x448", 32),
)  # fmt: skip


def _algorithms() -> list[Scenario]:
    both = [
        _row(both, Side("-".join(filter(None, (both, prf, "x25519"))), both))
        for both, prf in _CIPHERS
    ]
    ike = [_row(f"ike-{ike}", Side(f"{ike}-x25519", _ESP)) for ike in _IKE_ONLY]
    groups = [
        _row(f"group{number}", Side(f"aes128-sha256-{word}", f"{_ESP}-{word}"))
        for word, number in _GROUPS
    ]
    return both + ike + groups


# charon has no long sequence numbers in user space: those are among the kernel's rows.
_CHOICES = [
    _row("esn-on-one-side", Side(esp="aes128gcm16-esn-noesn"), Side(esp="aes128gcm16-noesn")),
    _row("several-proposals", Side("aes256-sha512-x448, aes128gcm16-aes256gcm16-prfsha256-x25519"),
         Side("aes256gcm16-prfsha384-prfsha256-x25519, 3des-sha1-modp1024")),
]  # fmt: skip

# --- the first exchange ----------------------------------------------------------------------

_TWO_GROUPS = Side("aes128-sha256-ecp256-x25519")
_ONE_GROUP = Side("aes128-sha256-x25519")
_BEGINNINGS = [
    _row("plain", inits=2),
    _row("invalid-ke", _TWO_GROUPS, _ONE_GROUP, inits=4),
    _row("cookie", PLAIN, Side(cookies=True), inits=4),
    _row("cookie-and-invalid-ke", _TWO_GROUPS, replace(_ONE_GROUP, cookies=True), inits=6),
    _row("childless-forced-by-initiator", Side(childless="force"), PLAIN),
    _row("childless-both", Side(childless="force")),
    _row("forced-encapsulation", Side(encap=True)),
]

# Names that make messages of more than 576 octets; charon knows none of 512.
_LONG = Side(identity="a" * 60 + ".example" * 50), Side(identity="b" * 60 + ".example" * 50)
_FRAGMENTS = [
    _row("fragments", *(replace(side, fragment=576) for side in _LONG),
         pieces=(_INITIATOR, _RESPONDER)),
    _row("fragments-of-initiator", replace(_LONG[0], fragment=576), PLAIN,
         pieces=(_INITIATOR,)),
]  # fmt: skip

# --- traffic selectors -----------------------------------------------------------------------

_A, _B = "10.10.1.0/24", "10.10.2.0/24"
_A2, _B2 = f"{_A}, 10.11.1.0/24", f"{_B}, 10.11.2.0/24"
_A_PORTS = "10.10.1.0/24[icmp], 10.11.1.0/24[udp]"
_B_PORTS = "10.10.2.0/24[icmp], 10.11.2.0/24[udp/7000-7009], 10.11.2.0/24[udp/8000]"
_MORE = Side(local=_A2, remote=_B2), Side(local=_B2, remote=_A2)
_LESS = Side(local=_A, remote=_B), Side(local=_B, remote=_A)
_SELECTORS = [
    _row("several-selectors", *_MORE, probes=(Probe("10.11", 7000, True),)),
    _row("initiator-wider", _MORE[0], _LESS[1], probes=(Probe("10.11", 7000, False),)),
    _row("responder-wider", _LESS[0], _MORE[1], probes=(Probe("10.11", 7000, False),)),
    _row("networks-narrowed", Side(local="10.10.0.0/23", remote="10.10.2.0/23"), _LESS[1]),
    _row("narrowed-rekey-child", _MORE[0], _LESS[1], act=Act.REKEY_CHILD),
    _row("narrowed-rekey-child-by-responder", _LESS[0], _MORE[1], act=Act.REKEY_CHILD,
         by=_RESPONDER),
    _row("ranges", Side(local="10.10.1.0-10.10.1.9", remote="10.10.2.0-10.10.2.9"), _LESS[1]),
    _row("ports", Side(local=_A_PORTS, remote=_B_PORTS), Side(local=_B_PORTS, remote=_A_PORTS),
         probes=(Probe("10.11", 7005, True), Probe("10.11", 8000, True),
                 Probe("10.11", 7010, False), Probe("10.10", 7005, False))),
]  # fmt: skip

# --- who is who ------------------------------------------------------------------------------

_IDENTITIES = [
    _row("id-fqdn", Side(identity="a.example"), Side(identity="b.example")),
    _row("id-rfc822", Side(identity="carol@a.example"), Side(identity="dave@b.example")),
    _row("id-key-id", Side(identity="@#c0ffee01"), Side(identity="@#c0ffee02")),
    _row("id-dn", Side(identity="C=DE, O=Example, CN=a"), Side(identity="C=DE, O=Example, CN=b")),
    _row("id-mixed", Side(identity="carol@a.example"), Side(identity="192.168.77.2")),
    _row("secret-by-identity", Side(identity="carol@a.example"),
         Side(identity="b.example", anyone=True)),
]  # fmt: skip
_NO_PROPOSAL, _AUTH_FAILED = "NO_PROPOSAL_CHOSEN", "AUTHENTICATION_FAILED"
_REFUSALS = [
    _row("refused-secret", PLAIN, Side(secret="another"), act=Act.REFUSED,
         refusal=(_AUTH_FAILED, "AUTH does not fit our pre-shared key")),
    _row("refused-identity", Side(identity="mallory.example"), Side(expects="a.example"),
         act=Act.REFUSED, refusal=(_AUTH_FAILED, "Remote-ID is FQDN a.example")),
    _row("refused-ike-proposal", Side("aes128-sha256-x25519"), Side("aes256-sha256-x25519"),
         act=Act.REFUSED, refusal=(_NO_PROPOSAL, "AES_CBC-128, not AES_CBC-256")),
    _row("refused-esp-proposal", Side(esp="aes128-sha256"), Side(esp="aes256-sha256"),
         act=Act.REFUSED, refusal=(_NO_PROPOSAL, "AES_CBC-128, not AES_CBC-256")),
    _row("refused-selectors", Side(local=_A, remote="10.12.0.0/16"), act=Act.REFUSED,
         refusal=("TS_UNACCEPTABLE", "local side is 10.10.1.0/24")),
]  # fmt: skip

# --- post-quantum pre-shared keys ------------------------------------------------------------

_PPK = Side(ppk=("ours-1", "dGhlLXBvc3QtcXVhbnR1bS1rZXktb2YtYm90aC1lbmRzLg=="))
_MUST = replace(_PPK, ppk_required=True)
_OTHER = Side(ppk=("theirs-2", "YW5vdGhlci1wb3N0LXF1YW50dW0ta2V5LWVudGlyZWx5LiE="))
_WRONG = Side(ppk=("ours-1", _OTHER.ppk[1]))
_PPKS = [
    _row("ppk", _PPK),
    _row("ppk-required", _MUST),
    _row("ppk-required-by-initiator", _MUST, _PPK),
    _row("ppk-required-by-responder", _PPK, _MUST),
    _row("ppk-of-initiator-alone", _PPK, PLAIN),
    _row("ppk-of-responder-alone", PLAIN, _PPK),
    _row("ppk-lacking-at-responder", _PPK, Side(ppk=(_PPK.ppk[0], ""))),
    _row("ppk-rekey-ike-by-initiator", _MUST, act=Act.REKEY_IKE),
    _row("ppk-rekey-ike-by-responder", _MUST, act=Act.REKEY_IKE, by=_RESPONDER),
    _row("ppk-rekey-child", _MUST, act=Act.REKEY_CHILD),
    _row("refused-ppk-lacking-at-responder", _MUST, PLAIN, act=Act.REFUSED,
         refusal=("the peer uses no PPK", "")),  # charon goes no further, and says nothing
    _row("refused-ppk-lacking-at-initiator", PLAIN, _MUST, act=Act.REFUSED,
         refusal=(_AUTH_FAILED, "the peer uses no PPK")),
    _row("refused-ppk-of-other-identity", _MUST, _OTHER, act=Act.REFUSED,
         refusal=(_AUTH_FAILED, "PPK FIXED ours-1 is not known here")),
    _row("refused-ppk-of-other-key", _PPK, _WRONG, act=Act.REFUSED,
         refusal=(_AUTH_FAILED, "but not our PPK")),
]  # fmt: skip

# --- paths -----------------------------------------------------------------------------------

_PATHS = [
    _row("ipv6", outer=6, inner=6),
    _row("ipv4-in-ipv6", outer=6),
    _row("ipv6-in-ipv4", inner=6),
    _row("nat", nat=True),
    _row("nat-rekey-child", nat=True, act=Act.REKEY_CHILD),
    _row("nat-rekey-ike", nat=True, act=Act.REKEY_IKE),
    _row("nat-cookie-and-invalid-ke", _TWO_GROUPS, replace(_ONE_GROUP, cookies=True), nat=True),
]

# --- later -----------------------------------------------------------------------------------

_ACTS = (
    Act.REKEY_CHILD, Act.REKEY_IKE, Act.DELETE_CHILD, Act.DELETE_IKE, Act.DEAD_PEER,
    Act.RESTARTED, Act.REKEY_CHILD_BUSY, Act.REKEY_IKE_BUSY,
)  # fmt: skip
# With a new Diffie-Hellman exchange, and one whose first guess of the group is wrong.
_PFS = Side("aes128-sha256-x25519", "aes128gcm16-x25519")
_PFS_TWO = Side("aes128-sha256-ecp256-x25519", "aes128gcm16-ecp256-x25519")


def _later() -> list[Scenario]:
    rows = [_row(f"{act.value}-by-{by.value}", act=act, by=by) for act, by in product(_ACTS, Role)]
    for act, by in product((Act.REKEY_CHILD, Act.REKEY_IKE), Role):
        rows.append(_row(f"{act.value}-pfs-by-{by.value}", _PFS, act=act, by=by))
        guessed = (_PFS_TWO, _PFS) if by is _INITIATOR else (_PFS, _PFS_TWO)
        rows.append(_row(f"{act.value}-invalid-ke-by-{by.value}", *guessed, act=act, by=by))
    rows += [
        _row("reauthenticate", act=Act.REAUTH),
        _row("acquire", act=Act.ACQUIRE),
        _row("windows", Side(window=4), act=Act.REKEY_CHILD_BUSY),
    ]
    return rows


# --- several key exchanges, with strongSwan 6 alone --------------------------------------------


def _side(ike: str, esp: str = "aes128gcm16") -> Side:
    """charon cuts what is larger than 1280 octets, which a key of ML-KEM-768 need not be."""
    return Side(ike, esp, fragment=1500)


_HYBRID = _side("aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-x25519-ke1_mlkem768")
_TWICE = _side("aes256-sha384-x25519-ke1_mlkem1024-ke2_ecp384-ke3_none",
               "aes256gcm16-x25519-ke1_mlkem768-ke2_ecp256")  # fmt: skip
_ALONE = _side("aes128-sha256-mlkem768", "aes128gcm16-mlkem768")
_OPTIONAL = _side("aes128-sha256-x25519-ke1_mlkem768-ke1_none")
_NONE = _side("aes128-sha256-x25519")
_BOTH = (_INITIATOR, _RESPONDER)
KEY_EXCHANGES = [
    *(_row(f"mlkem-{act.value}-by-{by.value}", _HYBRID, act=act, by=by)
      for act, by in product((Act.REKEY_CHILD, Act.REKEY_IKE), Role)),
    _row("mlkem-fragments", replace(_TWICE, fragment=576), pieces=_BOTH),
    _row("mlkem-and-another", _TWICE, act=Act.REKEY_CHILD, pieces=_BOTH),
    _row("mlkem-first", _ALONE, act=Act.REKEY_CHILD),
    _row("mlkem-optional", _OPTIONAL),
    _row("mlkem-optional-by-initiator", _OPTIONAL, _NONE),
    _row("mlkem-optional-by-responder", _NONE, _OPTIONAL),
    _row("mlkem-nat", _HYBRID, nat=True),
]  # fmt: skip

IKEV2 = [
    *_algorithms(), *_CHOICES, *_BEGINNINGS, *_FRAGMENTS, *_SELECTORS, *_IDENTITIES, *_REFUSALS,
    *_PPKS, *_PATHS, *_later(),
]  # fmt: skip
