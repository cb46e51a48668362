"""The options that a user of the reference can set, by the agent's names (docs/agent.md)."""

from conformance.model.flow import RECORDS, ROUTES
from conformance.target.reference.endpoint import Endpoint

_NUMBERS = {
    "ttl": "ttl",
    "tos": "tos",
    "mss": "user_mss",
    "report_errors": "report_errors",
    "fast_open": "fast_open",
    "fast_open_connect": "fast_open_connect",
    "keepalive_idle": "keep_idle",
    "keepalive_interval": "keep_interval",
    "keepalive_count": "keep_count",
}
_ELSEWHERE = frozenset({"nodelay", "user_timeout", "keepalive", "keepalive_octet", "oob_inline"})
_NO_EFFECT = frozenset({"send_buffer", "quickack", "linger", "reuse_address"})
OPTIONS = frozenset(_NUMBERS) | _ELSEWHERE | _NO_EFFECT | {"ip_options"}


def set_option(endpoint: Endpoint, name: str, value: str) -> bool:
    """Set a socket option, as far as that is not the TCB's; tell whether there is one of that name."""
    if name == "ip_options":
        kind = bytes.fromhex(value)[0]
        words = {**ROUTES, **RECORDS}.items()
        endpoint.user_route = next((word for word, number in words if number == kind), "")
        return True
    number = {"on": 1, "off": 0}.get(value)
    number = int(value, 0) if number is None else number
    if name == "nodelay":
        endpoint.nodelay = bool(number)
    elif name == "oob_inline":
        endpoint.tcb.oob_inline = bool(number)
    elif name in _NUMBERS:
        setattr(endpoint, _NUMBERS[name], number)
    elif name == "user_timeout":
        endpoint.user_timeout = number / 1000
    return name in OPTIONS
