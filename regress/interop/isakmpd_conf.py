"""The isakmpd.conf of one end of a scenario."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Scenario, Side, Stack, Suite
from regress.interop.site import SECRET, Site

# Where the key log goes, in the end's folder.
KEYS = "keys"
# Of SAs that end by what they have carried: a fifth of it is left to replace them in.
LIFE_KB = 100
SPARE_PPK = "c3BhcmUtcG9zdC1xdWFudHVtLWtleS1vZi1ub2JvZHkuLi4="
_APPLICATION = {Stack.USER: "engine", Stack.KERNEL: "xfrm"}


def suite_name(suite: Suite, transport: bool = False) -> str:
    """A quick mode suite by the name that isakmpd generates it under."""
    mode = "QM-ESP-TRP" if transport else "QM-ESP"
    pfs = f"PFS-GRP{suite.group}" if suite.group else ""
    return "-".join(part for part in (mode, suite.cipher, suite.hash, pfs, "SUITE") if part)


def transform_name(suite: Suite) -> str:
    """A main mode transform by the name that isakmpd generates it under."""
    return f"{suite.cipher}-{suite.hash}-GRP{suite.group}"


def identity(section: str, value: str) -> str:
    """An ID section for what strongSwan's users write: its type follows from its shape."""
    if value.startswith("@#"):
        kind, tag, value = "KEY_ID", "Name", f"0x{value[2:]}"
    elif "=" in value:
        kind, tag = "DER_ASN1_DN", "Name"
    elif "example" in value:
        kind, tag = "USER_FQDN" if "@" in value else "FQDN", "Name"
    else:
        kind, tag = "IPV6_ADDR" if ":" in value else "IPV4_ADDR", "Address"
    return f"[{section}]\nID-type= {kind}\n{tag}= {value}\n"


def _network(section: str, net: IPv4Network | IPv6Network) -> str:
    if net.num_addresses == 1:
        return identity(section, str(net.network_address))
    return (
        f"[{section}]\nID-type= IPV{net.version}_ADDR_SUBNET\n"
        f"Network= {net.network_address}\nNetmask= {net.netmask}\n"
    )


def _bytes(row: Scenario) -> str:
    """The generated transform's lifetimes, with one in kilobytes beside it."""
    transform = suite_name(row.esp, row.transport).replace("-SUITE", "-XF")
    return f"""
[{transform}]
Life= LIFE_QUICK_MODE, LIFE_KB

[LIFE_KB]
LIFE_TYPE= KILOBYTES
LIFE_DURATION= {LIFE_KB},1:100000
"""


def _ikev2(row: Scenario, role: Role) -> str:
    """What the peer's section says of IKEv2 alone."""
    side = row.side(role)
    lines = ["Key-exchange= ikev2", f"Childless= {side.childless}"]
    lines += [f"IKE-proposals= {side.ike}"] if side.ike else []
    lines += [f"Fragment-size= {side.fragment}"] if side.fragment else []
    lines += [f"Window-size= {side.window}"] if side.window > 1 else []
    lines += ["Encapsulation= force"] if side.encap else []
    lines += _ppk(side)
    anew = row.act is Act.REAUTH and row.by is role
    return "\n".join([*lines, *([f"Reauthenticate= {SHORT_LIFE_S}"] if anew else [])])


def _ppk(side: Side) -> list[str]:
    name, key = side.ppk
    if not name:
        return []
    name, key = (name, key) if key else (f"not-{name}", SPARE_PPK)
    required = "yes" if side.ppk_required else "no"
    return [f"PPK-ID= {name}", f"PPK= {key}", f"PPK-required= {required}"]


def _whom(side: Side) -> str:
    if side.anyone:
        return ""
    return f"Remote-ID= remote-identity\nAuthentication= {side.secret or SECRET}"


def _secret_of(identity: str) -> str:
    return f"[{identity}]\nAuthentication= {SECRET}\n"


def _child(side: Side) -> str:
    """What the connection's section says of IKEv2 alone."""
    tags = (
        ("ESP-proposals", side.esp),
        ("Local-selectors", side.local),
        ("Remote-selectors", side.remote),
    )
    return "\n".join(f"{tag}= {value}" for tag, value in tags if value)


def _life(rekeys: bool, seconds: int) -> str:
    return f"{SHORT_LIFE_S if rekeys else seconds},5:86400"


def configuration(
    row: Scenario, role: Role, site: Site, folder: Path, stack: Stack = Stack.USER
) -> str:
    """What ``folder/isakmpd.ini`` says; the end that rekeys has a short lifetime."""
    acts = row.by is role
    rekeys = row.act.rekeys if acts else ""
    counts = acts and row.act in (Act.BYTES_SOFT, Act.BYTES_HARD)
    # What rekeys itself must be wanted up; all else is started by command.
    active = role is Role.INITIATOR and (rekeys or counts or row.act is Act.ACQUIRE)
    watch = "DPD-check-interval= 1\nDPD-timeout= 10\n" if row.act.watches else ""
    if row.act is Act.ACQUIRE:
        watch += "Acquire-Only= yes\n"
    side = row.side(role)
    if side.cookies:
        watch += "Cookie-threshold= 0\n"
    return f"""
[General]
Listen-on= {site.address}
Run-directory= {folder}/run
Application= {_APPLICATION[stack]}
Use-Keynote= no
Key-log= {folder}/{KEYS}
Default-phase-1-lifetime= {_life(rekeys == "ike", 3600)}
Default-phase-2-lifetime= {_life(rekeys == "child", 1200)}
{watch}
[Phase 1]
{site.peer}= peer

[Phase 2]
{"Connections" if active else "Passive-connections"}= net

[peer]
Phase= 1
Local-address= {site.address}
Address= {site.peer}
ID= local-identity
Configuration= phase-1
{_whom(side)}
{_ikev2(row, role) if row.version == 2 else ""}
{_secret_of(site.peer_identity) if side.anyone else ""}

{identity("local-identity", site.identity)}
{identity("remote-identity", site.peer_identity)}
[phase-1]
DOI= IPSEC
EXCHANGE_TYPE= {"AGGRESSIVE" if row.mode == "aggressive" else "ID_PROT"}
Transforms= {transform_name(row.ike)}

[net]
Phase= 2
ISAKMP-peer= peer
Configuration= phase-2
{"IPComp= yes" if row.ipcomp else ""}
Local-ID= local-network
Remote-ID= remote-network
{_child(side)}

{_network("local-network", site.network)}
{_network("remote-network", site.remote_network)}
[phase-2]
DOI= IPSEC
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite_name(row.esp, row.transport)}
{_bytes(row) if counts else ""}"""
