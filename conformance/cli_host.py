"""What the command line says of a host, and what it tells of one before a run."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from conformance.model.case import Case
from conformance.model.description import Host
from conformance.model.service import ServiceKind
from conformance.report.text import count

if TYPE_CHECKING:
    from conformance.run.options import RunOptions

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _address(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return str(ip_address(text)) if text else text
    except ValueError:
        raise click.BadParameter(f"{text} is no IPv4 or IPv6 address") from None


_OPTIONS = (
    click.option(
        "--tester-address",
        metavar="ADDRESS",
        callback=_address,
        help="Of a host: test from this free address of the LAN, not from this machine's own.",
    ),
    click.option(
        "--service",
        type=click.Choice([str(kind) for kind in ServiceKind]),
        help="Of a host: what its port offers (guessed from the port if not given; verified).",
    ),
    click.option(
        "--agent",
        metavar="COMMAND",
        help="Of a host: carry the agent there, as 'ssh lab@host python3 -' does.",
    ),
    click.option(
        "--rate",
        type=click.IntRange(1),
        metavar="N",
        help="Of a host: packets a second at most (100 if not given).",
    ),
    click.option("--disruptive", is_flag=True, help="Of a host: also what floods, or could hurt it."),
)


def host_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a command the options that are about a host."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def said_of_host(options: Mapping[str, str | int | None]) -> Host:
    """Return what these options say."""

    def word(name: str) -> str:
        return str(options.get(name) or "")

    return Host(
        service=word("service"),
        agent=word("agent"),
        tester_address=word("tester_address"),
        rate=int(word("rate") or 0) or None,
    )


def is_host(target: str) -> bool:
    """Tell whether --target means a host."""
    from conformance.target.registry import describe

    return describe(target).kind == "host"


def list_for_host(cases: Sequence[Case], options: "RunOptions") -> None:
    """Make the first contact; show which cases would run, and for what reasons the others would not."""
    from conformance.run.suite import Suite

    with Suite(options) as suite:
        for note in suite.facts.notes:
            click.echo(note)
        planned, skipped = suite.plan(cases)
    for item in sorted(planned, key=lambda item: (item.case.id, item.ip)):
        click.echo(f"{item.case.id} (IPv{item.ip})  {item.case.title}")
    click.echo(f"{count(len(planned), 'variant')} would run, {len(skipped)} not:")
    for reason, number in Counter(result.reason for result in skipped).most_common():
        click.echo(f"  {number:>5}  {reason}")
