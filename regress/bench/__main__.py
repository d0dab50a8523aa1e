"""``python -m regress.bench``: isakmpd side by side with strongSwan's charon, on this machine; with
``--beside DIRECTORY`` side by side with another checkout of it.

A table on standard output, all figures in build/bench.json. Root is needed, for namespaces; what
is not installed is left out and said so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from regress.bench import beside
from regress.bench.measure import Sizes, handshakes, namespaces
from regress.bench.responder import ROOT, Charon, Isakmpd, IsakmpdEngine, Responder
from regress.bench.table import BESIDE, HANDSHAKES, TUNNELS, show
from regress.bench.tunnel import throughput
from regress.interop.end import Failure
from regress.interop.needs import missing

_RESPONDERS: dict[str, tuple[type[Responder], str]] = {
    "isakmpd": (Isakmpd, "isakmpd, negotiation only"),
    "isakmpd-engine": (IsakmpdEngine, "isakmpd, key engine"),
    "charon-libipsec": (Charon, "charon, kernel-libipsec"),
}
_GATEWAYS = {"isakmpd": "isakmpd, key engine", "charon": "charon, kernel-libipsec"}
_PACKETS = (1400, 100)


def main() -> int:
    """0, or 1 where something could not be measured."""
    options = _arguments()
    if why := missing():
        print(f"bench: {why}", file=sys.stderr)
        return 1
    if options.beside:
        return _beside(options)
    sizes = Sizes(many=options.sas, sample=options.sample)
    rows: list[dict[str, Any]] = []
    failures = 0
    for name in options.responders:
        for version, group in product(options.versions, options.groups):
            try:
                rows.append(_measure(name, version, group, options.esp, sizes))
                print(".", end="", file=sys.stderr, flush=True)
            except Failure as failure:
                failures += 1
                print(f"bench: {name}, IKEv{version}, group {group}: {failure}", file=sys.stderr)
    tunnels = []
    for kind, label in _GATEWAYS.items() if options.seconds else ():
        for size in _PACKETS:
            try:
                tunnels.append(throughput(kind, label, options.esp, size, options.seconds))
                print(".", end="", file=sys.stderr, flush=True)
            except Failure as failure:
                failures += 1
                print(f"bench: {kind}, {size} octets: {failure}", file=sys.stderr)
    print(f"\nisakmpd on {sys.executable}, Python {sys.version}")
    print("\nMain and quick mode, or IKE_SA_INIT and IKE_AUTH: pre-shared key, AES-128, SHA2-256, "
          "without PFS")  # fmt: skip
    print(show(HANDSHAKES, rows))
    print(f"\nESP in user space, {options.esp}: UDP through a tunnel")
    print(show(TUNNELS, tunnels))
    _keep({"handshakes": rows, "tunnels": tunnels})
    return 1 if failures else 0


def _beside(options: argparse.Namespace) -> int:
    """Every case of this checkout as a share of the other's."""
    sizes = beside.Sizes(starts=options.starts, seconds=0.5 if options.seconds else 0)
    kinds = [_RESPONDERS[name] for name in options.responders]
    responders = {label: kind.__name__ for kind, label in kinds if issubclass(kind, Isakmpd)}
    rows = []
    failures = 0
    for case in beside.cases(responders, options.versions, options.groups, options.esp, sizes):
        try:
            rows.append(beside.compare(case, options.beside, sizes))
            print(".", end="", file=sys.stderr, flush=True)
        except Failure as failure:
            failures += 1
            print(f"bench: {case['case']}: {failure}", file=sys.stderr)
    print(f"\nProcessor time beside {options.beside}, {options.starts} starts of each, by turns")
    print(show(BESIDE, rows))
    _keep({"beside": rows})
    return 1 if failures else 0


def _keep(figures: dict[str, Any]) -> None:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(figures, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="regress.bench", description=__doc__)
    add = parser.add_argument
    add("--responders", nargs="*", choices=_RESPONDERS, default=list(_RESPONDERS))
    add("--versions", nargs="+", type=int, choices=(1, 2), default=[1, 2])
    add("--groups", nargs="+", type=int, choices=(14, 31), default=[14, 31])
    add("--esp", choices=("aes-gcm", "aes-sha2"), default="aes-gcm")
    add("--sas", type=int, default=10000, help="SAs in all; default %(default)s")
    add("--sample", type=int, default=1000, help="handshakes in a sample of the rate")
    add("--seconds", type=float, default=4.0, help="of each ESP row, 0: none; default %(default)s")
    add("--beside", type=Path, metavar="DIRECTORY", help="another checkout, to compare with")
    add("--starts", type=int, default=3, help="of each case beside it; default %(default)s")
    return parser.parse_args()


def _measure(name: str, version: int, group: int, esp: str, sizes: Sizes) -> dict[str, Any]:
    kind, label = _RESPONDERS[name]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, namespaces() as (peers, server):
        responder = kind(label, version, group, esp, server, Path(folder))
        return handshakes(responder, peers, sizes)


if __name__ == "__main__":
    sys.exit(main())
