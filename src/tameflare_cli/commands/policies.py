"""`tf policies`: what a configuration decides, checked against what it is meant to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.exit_codes import ExitCode
from tameflare_cli.gateway_parts import add_part_commands
from tameflare_cli.options import JsonOption
from tameflare_cli.rendering import one_line, print_json, print_line, print_row

if TYPE_CHECKING:
    from tameflare_core.config.cases import CaseResult

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Test what policies decide, and edit those of the control plane.",
)
add_part_commands(app, "policies", "policy")


@app.callback()
def _group() -> None:
    """Test what policies decide, and edit those of the control plane."""


@app.command("test")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table of cases, YAML.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="The configuration; the table names one."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List the cases that pass as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the requests of a table, and compare the decisions with those that it expects.

    Nothing is sent anywhere. The exit status is 0 when all are as expected, and 1 otherwise.

    For example:

      tf policies test policy-cases.yaml
    """
    from tameflare_core.config.cases import PolicyCases
    from tameflare_core.config.document import GatewayConfig
    from tameflare_core.decision_point import DecisionPoint

    cases = PolicyCases.from_file(file)
    gateway = GatewayConfig.from_file(config or cases.config_path).bind()
    results = cases.run(DecisionPoint(gateway))
    failed = [result for result in results if not result.passed]
    if as_json:
        print_json(
            {
                "passed": len(results) - len(failed),
                "failed": len(failed),
                "cases": [result.document() for result in results],
            }
        )
    else:
        _tell(file, results if verbose else failed)
        print_line(f"{len(results) - len(failed)} of {len(results)} cases as expected")
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _tell(file: Path, results: list[CaseResult] | tuple[CaseResult, ...]) -> None:
    for result in results:
        where = f"{file}:{result.line}"
        if result.passed:
            print_row(["ok", where, f"{result.name}: {result.got}"], [6, 0])
            continue
        print_row(["failed", where, f"{result.name}: {'; '.join(result.problems)}"], [6, 0])
        print_line(f"        {one_line(result.reason)}")
