"""A TCP conformance tester: YAML cases, Scapy on the wire, RFC 9293 as the judge."""

__version__ = "0.1.0"
