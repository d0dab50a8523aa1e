"""Configurations that several tests read, in the shapes isakmpd's users wrote them."""

from __future__ import annotations

from isakmp.conf.store import Conf
from isakmp.policy.identity import Resolve, no_interfaces
from isakmp.policy.reader import connection_names, read_connection
from isakmp.policy.spd import Connection

# Phase 1 as the first isakmpd had it: every section explicit.
EXPLICIT = """\
# Negotiations that come in are told apart by their source address.

[Phase 1]
192.168.0.1=\t\tpeer-node-0

[peer-node-0]
Phase= 1
Transport= udp
Address= 192.168.0.1
Configuration= main-mode
Authentication= secret-with-node-0

[main-mode]
DOI= IPSEC
EXCHANGE_TYPE= ID_PROT
Transforms= 3DES-SHA,3DES-MD5

[3DES-SHA]
ENCRYPTION_ALGORITHM= 3DES_CBC
HASH_ALGORITHM= SHA
AUTHENTICATION_METHOD= PRE_SHARED
GROUP_DESCRIPTION= MODP_1024
Life= TEN_MINUTES

[TEN_MINUTES]
LIFE_TYPE= SECONDS
LIFE_DURATION= 600,450:720
"""

# Two networks behind two gateways, with generated transforms and everything else written.
GATEWAY = """\
[General]
Retransmits=\t\t5
Exchange-max-time=\t120
Listen-on=\t\t10.1.0.11

[Phase 1]
10.1.0.12=\t\tISAKMP-peer-west

[Phase 2]
Connections=\t\tIPsec-east-west

[ISAKMP-peer-west]
Phase=\t\t\t1
Transport=\t\tudp
Local-address=\t\t10.1.0.11
Address=\t\t10.1.0.12
Configuration=\t\tDefault-main-mode
Authentication=\t\ta shared word
ID=\t\t\teast-id

[east-id]
ID-type=\t\tFQDN
Name=\t\t\teast.example.net

[IPsec-east-west]
Phase=\t\t\t2
ISAKMP-peer=\t\tISAKMP-peer-west
Configuration=\t\tDefault-quick-mode
Local-ID=\t\tNet-east
Remote-ID=\t\tNet-west

[Net-west]
ID-type=\t\tIPV4_ADDR_SUBNET
Network=\t\t192.168.2.0
Netmask=\t\t255.255.255.0

[Net-east]
ID-type=\t\tIPV4_ADDR_SUBNET
Network=\t\t192.168.1.0
Netmask=\t\t255.255.255.0

# Main mode

[Default-main-mode]
DOI=\t\t\tIPSEC
EXCHANGE_TYPE=\t\tID_PROT
Transforms=\t\t3DES-SHA,BLF-SHA-GRP5

# Quick mode

[Default-quick-mode]
DOI=\t\t\tIPSEC
EXCHANGE_TYPE=\t\tQUICK_MODE
Suites=\t\t\tQM-ESP-3DES-SHA-PFS-SUITE,QM-ESP-AES-SHA2-256-SUITE
"""

# Quick mode without anything generated.
SUITES = """\
[quick-mode]
DOI= IPSEC
EXCHANGE_TYPE= QUICK_MODE
Suites= bundle

[bundle]
Protocols= inner-esp, outer-ah

[inner-esp]
PROTOCOL_ID= IPSEC_ESP
Transforms= esp-aes
ReplayWindow= 128

[esp-aes]
TRANSFORM_ID= AES
ENCAPSULATION_MODE= TRANSPORT
AUTHENTICATION_ALGORITHM= HMAC_SHA2_256
GROUP_DESCRIPTION= MODP_2048
KEY_LENGTH= 256,128:256
Life= one-hour, one-gigabyte

[outer-ah]
PROTOCOL_ID= IPSEC_AH
Transforms= ah-sha

[ah-sha]
TRANSFORM_ID= SHA
ENCAPSULATION_MODE= TRANSPORT
AUTHENTICATION_ALGORITHM= HMAC_SHA
Life= ANY

[one-hour]
LIFE_TYPE= SECONDS
LIFE_DURATION= 3600, 1800:7200

[one-gigabyte]
LIFE_TYPE= KILOBYTES
LIFE_DURATION= 1000000
"""


MANY = 30


def many(count: int = MANY) -> str:
    """A gateway of so many connections, each with a peer of its own."""
    names = ",".join(f"c{n}" for n in range(count))
    lines = [f"[Phase 2]\nPassive-connections= {names}\n[Phase 1]\n"]
    lines += [f"192.0.2.{n}= p{n}\n" for n in range(count)]
    for n in range(count):
        lines.append(
            f"[p{n}]\nKey-exchange= ikev2\nAddress= 192.0.2.{n}\nLocal-address= 198.51.100.1\n"
            f"Authentication= a secret of {n}\nIKE-proposals= aes256-sha256-x25519\n"
            f"[c{n}]\nISAKMP-peer= p{n}\nLocal-ID= l{n}\nRemote-ID= r{n}\n"
            f"ESP-proposals= aes256gcm16\n"
            + _network(f"l{n}", "10.0.0.0")
            + _network(f"r{n}", f"10.1.{n}.0")
        )
    return "".join(lines)


def _network(section: str, network: str) -> str:
    lines = f"ID-type= IPV4_ADDR_SUBNET\nNetwork= {network}\nNetmask= 255.255.255.0\n"
    return f"[{section}]\n{lines}"


def read_connections(conf: Conf, resolve: Resolve = no_interfaces) -> list[Connection]:
    """All connections that [Phase 2] lists."""
    return [read_connection(conf, name, resolve) for name in connection_names(conf)]
