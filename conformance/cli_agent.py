"""`conformance agent`: agents, whoever wrote them.  What is slow to import is imported where it is used."""

import click

from conformance.model.verdict import Exit
from conformance.report.text import count

EXIT_CODES = """\b
Exit codes:
  0  the agent conforms to docs/agent.md
  1  it does not
  2  wrong usage
  3  it could not be started
"""


@click.group()
def agent() -> None:
    """Agents: the programs beside a target that make its socket calls."""


@agent.command("check", epilog=EXIT_CODES, context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The agent's own address, IPv4 or IPv6: it listens there.",
)
@click.option(
    "--no-loopback", is_flag=True, help="It cannot reach itself there: leave out what needs a connection."
)
@click.option(
    "--silent",
    default="",
    metavar="ADDRESS",
    help="An address that the agent has a route to and gets no answer from, for what SYN-SENT needs.",
)
def check_command(command: tuple[str, ...], address: str, no_loopback: bool, silent: str) -> None:
    """Start an agent by its COMMAND (after --) and hold it to docs/agent.md, sentence by sentence.

    It speaks with itself and with nobody else, but for --silent.
    """
    from conformance.target import agent_check
    from conformance.target.agent_check import Outcome

    setting = agent_check.Setting(
        command, _address(address), not no_loopback, _address(silent) if silent else ""
    )
    ops = agent_check.offered(setting)
    tally = dict.fromkeys(Outcome, 0)
    for finding in agent_check.perform(setting, ops):
        tally[finding.outcome] += 1
        detail = f"  {finding.detail}" if finding.outcome is Outcome.LEFT_OUT else ""
        click.echo(f"{finding.outcome.value:<8}  {finding.check.name}{detail}")
        if finding.outcome is Outcome.VIOLATES:
            click.echo(f"          docs/agent.md: {' '.join(finding.check.sentence.split())}")
            click.echo(f"          {finding.detail}")
    for op in agent_check.absent(ops):
        click.echo(f"{'-':<8}  {op} is not offered: cases that need it are skipped")
    wrong, left_out = tally[Outcome.VIOLATES], tally[Outcome.LEFT_OUT]
    words = [f"{tally[Outcome.CONFORMS]} ok", f"{wrong} wrong", f"{left_out} left out"]
    click.echo(f"{count(sum(tally.values()), 'check')}: {', '.join(words)}")
    raise click.exceptions.Exit(Exit.NONCONFORMING if wrong else Exit.CONFORMING)


def _address(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise click.UsageError(f"{text} is no IPv4 or IPv6 address") from None
