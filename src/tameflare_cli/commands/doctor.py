"""`tf doctor`: the commonest set-up faults, and what to do about them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from tameflare_cli.commands.gateway import host_and_port
from tameflare_cli.context import CONFIG_NAME
from tameflare_cli.exit_codes import ExitCode
from tameflare_cli.options import DEFAULT_LISTEN, ConfigOption, JsonOption, ListenOption
from tameflare_cli.rendering import one_line, print_json, print_line, print_row

app = typer.Typer(add_completion=False)

_WIDTHS = (7, 13)


@app.command()
def doctor(
    config: ConfigOption = None, listen: ListenOption = DEFAULT_LISTEN, as_json: JsonOption = False
) -> None:
    """Look for what keeps agents from working behind a gateway here.

    It exits with 5 when it finds a fault, and with 0 when there are only warnings.

    For example:

      tf doctor --config prod.yaml
    """
    from tameflare_cli.diagnosis import State, examine

    findings = []
    for finding in examine(config or Path(CONFIG_NAME), host_and_port(listen)):
        findings.append(finding)
        if not as_json:
            print_row((finding.state.value, finding.check, finding.message), _WIDTHS)
            if finding.advice:
                print_line(f"{'':{sum(_WIDTHS) + 4}}{one_line(finding.advice)}")
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.state is State.FAULT for finding in findings):
        raise typer.Exit(ExitCode.BAD_CONFIG)
