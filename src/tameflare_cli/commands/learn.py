"""`tf learn`: from recorded traffic to a configuration that allows it and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.context import CONFIG_NAME
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.records import RecordsOption, record_lines
from tameflare_cli.rendering import notice, one_line

if TYPE_CHECKING:
    from tameflare_core.learning import Learned

app = typer.Typer(add_completion=False)


@app.command()
def learn(
    records: RecordsOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help=f"Keep all but the permissions of this one; {CONFIG_NAME} here unless given.",
        ),
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only records of this gateway.")
    ] = None,
    any_field: Annotated[
        list[str] | None,
        typer.Option("--any", metavar="FIELD", help="Let this resource field be anything."),
    ] = None,
    all_reads: Annotated[
        bool, typer.Option("--all-reads", help="Allow every read of a resource that was read.")
    ] = False,
    include_denied: Annotated[
        bool, typer.Option("--include-denied", help="Allow what was never let through as well.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.")
    ] = None,
) -> None:
    """Propose the smallest set of permissions that allows what was seen, as YAML with comments.

    Each rule is about one action and the resources that it was seen with. What a human always
    approved goes on being asked. What was denied stands in comments.

    For example:

      tf learn

      tf learn --records traffic.jsonl --any number --all-reads -o learned.yaml
    """
    from tameflare_core.learning import learn as learned_from
    from tameflare_core.recorded import Recorded, read_records

    with record_lines(records) as lines:
        learned = learned_from(
            (
                record
                for record in read_records(lines)
                if gateway is None or not isinstance(record, Recorded) or record.gateway == gateway
            ),
            any_fields=any_field or (),
            all_reads=all_reads,
            denied_too=include_denied,
        )
    if not learned.lessons:
        raise CommandFailed(
            ExitCode.REFUSED,
            "nothing to learn from: no record has an action of a connector",
            "let the agent run with `enforcement: monitor` for a while",
        )
    text = "\n".join([*_head(learned), *_rest(learned, config), *learned.yaml(), ""])
    _check(learned, text)
    _write(text, output)


def _head(learned: Learned) -> list[str]:
    many = len(learned.permissions())
    lines = [
        "# Learned from recorded traffic by `tf learn`: read it before you use it.",
        f"# {many} {'rule' if many == 1 else 'rules'} for what was let through.",
    ]
    lines += [
        f"# `--any {name}` would leave {number} of them, about any {name}."
        for name, number in learned.advice()
    ]
    if len(learned.gateways) > 1:
        names = ", ".join(sorted(learned.gateways))
        lines.append(f"# Seen on several gateways ({one_line(names)}): see `--gateway`.")
    return lines


def _rest(learned: Learned, config: Path | None) -> list[str]:
    """Everything but the permissions: that of the current configuration, or what can be told."""
    from tameflare_core.config.document import GatewayConfig
    from tameflare_core.yaml_source import yaml_lines

    path = config or Path(CONFIG_NAME)
    if config is not None or path.is_file():
        current = GatewayConfig.from_file(path).model_dump(mode="json", exclude_defaults=True)
        current.pop("permissions", None)
        return yaml_lines({"version": 1, **current})
    from tameflare_core.plugins import load_plugins

    types = load_plugins().connectors
    connectors = [
        {"type": name}
        if name in types and name != "generic"
        else {"type": "generic", "id": name, "hosts": sorted(hosts)}
        for name, hosts in sorted(learned.hosts.items())
    ]
    names = sorted(learned.gateways)
    document = {"version": 1, "gateway": names[0], "connectors": connectors}
    return ["# Say for each connector where its `credential` is kept.", *yaml_lines(document)]


def _check(learned: Learned, text: str) -> None:
    """Load what was written, and judge by it what it was written from."""
    from tameflare_core.config.document import GatewayConfig

    gateway = GatewayConfig.from_text(text, name="learned.yaml", folder=Path.cwd()).bind()
    written = [(rule.connector, rule.action, rule.decision) for rule in gateway.permissions]
    meant = [(rule.connector, rule.action, rule.decision) for rule in learned.permissions()]
    wrong = learned.exceptions()
    if wrong or written != meant:
        raise CommandFailed(
            ExitCode.FAILED,
            f"the rules do not do what they should: {one_line('; '.join(wrong[:3]))}",
            "please report this with the records, if you may share them",
        )
    left_out = sum(len(lessons) for lessons in learned.left_out().values())
    notice(
        f"checked: {len(learned.wanted()) - left_out} of {len(learned.wanted())} kinds of requests"
        " that were let through are allowed, and nothing else that was seen"
    )
    if left_out:
        notice(f"{left_out} cannot be allowed without allowing more: see the comments")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"`{output}` cannot be written: {error.strerror}"
        raise CommandFailed(ExitCode.REFUSED, message) from None
