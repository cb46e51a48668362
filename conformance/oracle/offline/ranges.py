"""Which sequence numbers have been seen, and with which octets; offsets from the ISN, not modulo 2**32."""

from bisect import bisect_left, bisect_right


class Ranges:
    """A set of numbers as half-open ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of start..end that are not in the set."""
        found = []
        at = bisect_right(self._ends, start)
        while start < end:
            if at >= len(self._starts) or self._starts[at] >= end:
                found.append((start, end))
                break
            if self._starts[at] > start:
                found.append((start, self._starts[at]))
            start = self._ends[at]
            at += 1
        return found


class Octets:
    """The octets of a stream, as far as they are remembered: the oldest go where there are too many."""

    __slots__ = ("_chunks", "_limit", "_size", "_starts")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._starts: list[int] = []
        self._chunks: dict[int, bytes] = {}

    def difference(self, start: int, data: bytes) -> int | None:
        """Return the first offset at which `data` differs from what is remembered, or None."""
        for at in self._overlapping(start, start + len(data)):
            chunk = self._chunks[at]
            low, high = max(start, at), min(start + len(data), at + len(chunk))
            if data[low - start : high - start] != chunk[low - at : high - at]:
                return next(place for place in range(low, high) if data[place - start] != chunk[place - at])
        return None

    def add(self, start: int, data: bytes) -> None:
        """Remember what of `data` is new."""
        place, end = start, start + len(data)
        for at in [*self._overlapping(start, end), end]:
            if at > place:
                self._keep(place, data[place - start : min(at, end) - start])
            if at < end:
                place = max(place, at + len(self._chunks[at]))
        while self._size > self._limit:
            self._size -= len(self._chunks.pop(self._starts.pop(0)))

    def forget(self) -> None:
        self._starts.clear()
        self._chunks.clear()
        self._size = 0

    def _overlapping(self, start: int, end: int) -> list[int]:
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._starts[first] + len(self._chunks[self._starts[first]]) <= start:
            first += 1
        return self._starts[first : bisect_left(self._starts, end)]

    def _keep(self, start: int, data: bytes) -> None:
        if not data:
            return
        at = bisect_left(self._starts, start)
        self._starts.insert(at, start)
        self._chunks[start] = data
        self._size += len(data)
