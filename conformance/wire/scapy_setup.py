"""Import Scapy's layers lean and quiet; every other module of wire/ imports them from here."""

import logging

from scapy.config import conf

# Scapy warns about the routes and addresses that it does not find; the tester needs none of
# them, for it names both link-layer addresses itself.  Reading the tables takes time too.
logging.getLogger("scapy").setLevel(logging.CRITICAL)
conf.verb = 0
conf.route_autoload = False
conf.route6_autoload = False

from scapy.error import Scapy_Exception  # noqa: E402
from scapy.layers.inet import IP, TCP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402
from scapy.utils import PcapNgWriter, RawPcapNgReader, RawPcapReader, checksum  # noqa: E402

__all__ = [
    "ARP",
    "IP",
    "TCP",
    "Ether",
    "ICMPv6NDOptDstLLAddr",
    "ICMPv6NDOptSrcLLAddr",
    "ICMPv6ND_NA",
    "ICMPv6ND_NS",
    "IPv6",
    "Packet",
    "PcapNgWriter",
    "Raw",
    "RawPcapNgReader",
    "RawPcapReader",
    "Scapy_Exception",
    "checksum",
]
