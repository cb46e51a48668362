"""Who has which address on the link: ARP and neighbour discovery for addresses no kernel owns.

Sans-IO: frames in, frames out.  The tester's addresses are answered for from here, so that
no kernel of the tester's ever sees the target's segments, and none resets its connections.
"""

from collections.abc import Iterable

from conformance.wire.resolution import decode_resolution, encode_answer, encode_question


class Neighbour:
    """Answers for the tester's `addresses` at `mac`, and learns the others' link-layer addresses.

    With `silent` a kernel has these addresses, and answers for them itself.
    """

    def __init__(self, mac: str, addresses: Iterable[str], silent: bool = False) -> None:
        self.mac = mac
        self._silent = silent
        self._own = frozenset(addresses)
        self._known: dict[str, str] = {}

    def lookup(self, address: str) -> str | None:
        """Return the link-layer address of `address`, or None while it is not known."""
        return self._known.get(address)

    def ask(self, address: str) -> bytes:
        """Return the frame that asks who has `address`; ValueError without an address of its kind."""
        for own in self._own:
            if (":" in own) == (":" in address):
                return encode_question(address, own, self.mac)
        raise ValueError(f"the tester has no address from which to ask for {address}")

    def receive(self, frame: bytes) -> bytes | None:
        """Take in an ARP or neighbour discovery frame; return the frame that answers it, if any."""
        heard = decode_resolution(frame)
        if heard is None or heard.sender in self._own:
            return None
        if heard.sender:
            self._known[heard.sender] = heard.mac
        asked = heard.question and heard.about in self._own and not self._silent
        return encode_answer(heard, self.mac) if asked else None
