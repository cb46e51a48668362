"""`conformance check`: recorded connections, judged.  What is slow to import is imported where it is used."""

from pathlib import Path

import click

EXIT_CODES = """\b
Exit codes:
  0  no violation
  1  a violation of a MUST
  2  wrong usage, a capture that cannot be read, or no such flow
  3  nothing in the capture could be judged
"""
_FILE = click.Path(path_type=Path, dir_okay=False)
_END = click.Choice(["client", "server"])


@click.command(epilog=EXIT_CODES)
@click.argument("capture", type=_FILE)
@click.option("--flow", type=click.IntRange(0), metavar="N", help="Only this connection, numbered from 0.")
@click.option("--end", type=click.Choice(["client", "server", "both"]), default="both", help="Whom to judge.")
@click.option("--near", type=_END, help="Which end the capture was taken near; inferred if not given.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def check(capture: Path, flow: int | None, end: str, near: str | None, as_json: bool) -> None:
    """Judge the TCP connections in a CAPTURE (pcap or pcapng) that any tool has taken.

    x is the client's initial sequence number, y the server's.
    """
    from conformance.report import check as check_report
    from conformance.run import checking

    try:
        found = checking.check(capture, checking.Near(near) if near else None)
        shown = found if flow is None else found.of_flow(flow)
    except checking.RecordingError as error:
        raise click.UsageError(f"{capture} cannot be read: {error}") from None
    except IndexError:
        known = f"0 to {len(found.flows) - 1}" if found.flows else "none"
        raise click.UsageError(f"{capture} has no flow {flow}; it has {known}") from None
    if end != "both":
        shown = shown.of_end(end)
    write = check_report.as_json if as_json else check_report.as_text
    click.echo(write(shown.path, (shown.frames, shown.others), shown.flows, shown.notes))
    raise click.exceptions.Exit(shown.exit)
