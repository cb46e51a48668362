"""Text from elsewhere (an agent, a case file) made fit to be shown."""

import re

_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# What XML 1.0 section 2.2 does not call a Char, and what a terminal would act on.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fit(text: str) -> str:
    """Return `text` without control characters and what else no report can hold."""
    return _UNFIT.sub("", _SEQUENCES.sub("", text))


def count(number: int, noun: str) -> str:
    """Return `1 case`, `2 cases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
