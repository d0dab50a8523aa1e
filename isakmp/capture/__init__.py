"""Captures: pcap and pcapng files read down to IKE datagrams, and pcap files written.

file → frame (pcap.py) → IP packet (link.py, tunnel.py) → UDP datagram or TCP stream (ip.py,
fragments.py, stream.py) → IKE message (reader.py); tally.py counts what else there was. A capture
is hostile input like any packet: nothing but OSError of opening the file leaves the iterators,
whatever is wrong becomes a Damage in its place, and no length that a file declares is believed
beyond the bounds given here.
"""

from isakmp.capture.pcap import Damage, Frame, open_capture, read_frames
from isakmp.capture.reader import Datagram, read_datagrams
from isakmp.capture.tally import Tally
from isakmp.capture.writer import CaptureWriter

__all__ = [
    "CaptureWriter",
    "Damage",
    "Datagram",
    "Frame",
    "Tally",
    "open_capture",
    "read_datagrams",
    "read_frames",
]
