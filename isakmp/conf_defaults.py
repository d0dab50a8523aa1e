"""What a configuration says without being written: the defaults of isakmpd.conf(5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BUILT_IN: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "General": MappingProxyType(
            {
                "Acquire-Only": "no",
                "Application": "engine",
                "Check-interval": "60",
                "Default-phase-1-lifetime": "3600,60:86400",
                "Default-phase-2-lifetime": "1200,60:86400",
                "Default-phase-2-suites": "QM-ESP-3DES-SHA-PFS-SUITE",
                "Delete-SAs": "yes",
                "DPD-check-interval": "0",
                "Exchange-max-time": "120",
                "Max-half-open": "1000",
                "Max-half-open-per-peer": "100",
                "NAT-T-Keepalive": "20",
                "Policy-file": "/etc/isakmpd/isakmpd.policy",
                "Pubkey-directory": "/etc/isakmpd/pubkeys",
                "Rekey-margin": "20",
                "Renegotiate-on-HUP": "no",
                "Retransmits": "3",
                "Run-directory": "/var/run",
                "Shared-SADB": "no",
                "Use-Keynote": "yes",
            }
        ),
        "Default-phase-1": MappingProxyType(
            {"Phase": "1", "Configuration": "Default-phase-1-configuration"}
        ),
        "Default-phase-1-configuration": MappingProxyType(
            {"DOI": "IPSEC", "EXCHANGE_TYPE": "ID_PROT", "Transforms": "3DES-SHA-RSA_SIG"}
        ),
        "LIFE_MAIN_MODE": MappingProxyType({"LIFE_TYPE": "SECONDS"}),
        "LIFE_QUICK_MODE": MappingProxyType({"LIFE_TYPE": "SECONDS"}),
        "KeyNote": MappingProxyType({"Credential-directory": "/etc/isakmpd/keynote/"}),
        "X509-certificates": MappingProxyType(
            {
                "Accept-self-signed": "no",
                "CA-directory": "/etc/isakmpd/ca/",
                "Cert-directory": "/etc/isakmpd/certs/",
                "CRL-directory": "/etc/isakmpd/crls/",
                "Private-key": "/etc/isakmpd/private/local.key",
                "Private-key-directory": "/etc/isakmpd/private/",
            }
        ),
    }
)

# Tags whose default is what another one says.
BORROWED: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        ("life_main_mode", "life_duration"): ("General", "Default-phase-1-lifetime"),
        ("life_quick_mode", "life_duration"): ("General", "Default-phase-2-lifetime"),
        ("default-phase-1", "id"): ("General", "Default-phase-1-ID"),
    }
)
