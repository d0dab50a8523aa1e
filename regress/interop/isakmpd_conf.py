"""The isakmpd.conf of one end of a scenario."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Scenario, Suite
from regress.interop.site import SECRET, Site

# Where the key log goes, in the end's folder.
KEYS = "keys"


def suite_name(suite: Suite) -> str:
    """A quick mode suite by the name that isakmpd generates it under."""
    pfs = f"PFS-GRP{suite.group}" if suite.group else ""
    return "-".join(part for part in ("QM-ESP", suite.cipher, suite.hash, pfs, "SUITE") if part)


def transform_name(suite: Suite) -> str:
    """A main mode transform by the name that isakmpd generates it under."""
    return f"{suite.cipher}-{suite.hash}-GRP{suite.group}"


def _identity(section: str, value: str) -> str:
    if "example" in value:
        return f"[{section}]\nID-type= FQDN\nName= {value}\n"
    kind = "IPV6_ADDR" if ":" in value else "IPV4_ADDR"
    return f"[{section}]\nID-type= {kind}\nAddress= {value}\n"


def _network(section: str, net: IPv4Network | IPv6Network) -> str:
    return (
        f"[{section}]\nID-type= IPV{net.version}_ADDR_SUBNET\n"
        f"Network= {net.network_address}\nNetmask= {net.netmask}\n"
    )


def configuration(row: Scenario, role: Role, site: Site, folder: Path) -> str:
    """What ``folder/isakmpd.ini`` says; the end that rekeys has a short lifetime."""
    rekeys = row.by is role and row.act in (Act.REKEY_CHILD, Act.REKEY_IKE)
    main_life = SHORT_LIFE_S if rekeys and row.act is Act.REKEY_IKE else 3600
    quick_life = SHORT_LIFE_S if rekeys and row.act is Act.REKEY_CHILD else 1200
    # What rekeys itself must be wanted up; all else is started by command.
    active = rekeys and role is Role.INITIATOR
    watch = "DPD-check-interval= 1\n" if row.act is Act.DEAD_PEER else ""
    return f"""
[General]
Listen-on= {site.address}
Run-directory= {folder}/run
Application= engine
Use-Keynote= no
Key-log= {folder}/{KEYS}
Default-phase-1-lifetime= {main_life},5:86400
Default-phase-2-lifetime= {quick_life},5:86400
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
Remote-ID= remote-identity
Configuration= phase-1
Authentication= {SECRET}

{_identity("local-identity", site.identity)}
{_identity("remote-identity", site.peer_identity)}
[phase-1]
DOI= IPSEC
EXCHANGE_TYPE= {"AGGRESSIVE" if row.mode == "aggressive" else "ID_PROT"}
Transforms= {transform_name(row.ike)}

[net]
Phase= 2
ISAKMP-peer= peer
Configuration= phase-2
Local-ID= local-network
Remote-ID= remote-network

{_network("local-network", site.network)}
{_network("remote-network", site.remote_network)}
[phase-2]
DOI= IPSEC
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite_name(row.esp)}
"""
