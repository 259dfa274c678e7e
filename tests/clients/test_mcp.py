"""The MCP SDK, client and server, as they are: over Streamable HTTP and over stdio."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from mcp.server.fastmcp import Context, FastMCP

from tests.cli.harness import DEADLINE, Open, Run
from tests.standin import LOCAL_NAMES, Authority, wait_until

HTTP_CONFIG = """\
version: 1
gateway: desk
connectors:
  - type: mcp
    base_url: https://localhost:{port}/mcp
    allow_private_network: true
    ca_file: {ca_file}
    tools: {{read_note: {{access: read, risk: low}}}}
permissions:
  - {{connector: mcp, action: "mcp.*", access: read, decision: allow}}
  - {{connector: mcp, action: mcp.tools.call.begin, decision: allow}}
  - {{connector: mcp, action: mcp.tools.call.go_on, decision: allow}}
  - {{connector: mcp, action: mcp.session.end, decision: allow}}
"""

HTTP_CLIENT = """\
import anyio, sys
from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamable_http_client

async def main():
    async with streamable_http_client(sys.argv[1]) as (read, write, _):
        said = anyio.Event()

        async def log(params):
            print("streamed", params.data, flush=True)
            said.set()

        async with ClientSession(read, write, logging_callback=log) as session:
            answer = await session.initialize()
            print("initialized", answer.serverInfo.name, flush=True)
            listed = await session.list_tools()
            print("tools", *(tool.name for tool in listed.tools), flush=True)
            answer = await session.call_tool("read_note", {"name": "a"})
            print("allowed", answer.content[0].text, flush=True)
            async with anyio.create_task_group() as group:
                group.start_soon(session.call_tool, "begin", {})
                await said.wait()
                # The answer to the first call is still open.
                await session.call_tool("go_on", {})
            print("finished", flush=True)
            if "denied" in sys.argv:
                try:
                    await session.call_tool("delete_note", {"name": "a"})
                except McpError as error:
                    print("denied", error.error.data["decision"], flush=True)
                answer = await session.call_tool("read_note", {"name": "b"})
                print("goes on", answer.content[0].text, flush=True)

anyio.run(main)
"""


class Server:
    """An MCP server over Streamable HTTP and TLS, and what it did."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.calls: list[str] = []
        self._go_on = threading.Event()
        notes = FastMCP("notes", host="localhost", log_level="ERROR")
        notes.tool()(self.read_note)
        notes.tool()(self.delete_note)
        notes.tool()(self.begin)
        notes.tool()(self.go_on)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        config = uvicorn.Config(
            notes.streamable_http_app(),
            log_level="error",
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def read_note(self, name: str) -> str:
        self.calls.append(f"read {name}")
        return f"the note {name}"

    async def delete_note(self, name: str) -> str:
        self.calls.append(f"delete {name}")
        return "gone"

    async def begin(self, context: Context[Any, Any, Any]) -> str:
        await context.info("it began")
        await anyio.to_thread.run_sync(self._go_on.wait)
        return "done"

    async def go_on(self) -> str:
        self._go_on.set()
        return "going on"


@pytest.fixture
def server(standin_authority: Authority, folder: Path) -> Iterator[Server]:
    """A server, a gateway's configuration for it, and a client."""
    one = Server(standin_authority.server_context(LOCAL_NAMES))
    config = HTTP_CONFIG.format(port=one.port, ca_file=standin_authority.ca_file)
    (folder / "tameflare.yaml").write_text(config)
    (folder / "client.py").write_text(HTTP_CLIENT)
    yield one
    one.stop()


def test_client_calls_tools_over_http(server: Server, tf: Run) -> None:
    url = f"https://localhost:{server.port}/mcp"
    done = tf("run", "--", sys.executable, "client.py", url)
    assert done.stdout.splitlines() == [
        "initialized notes",
        "tools read_note delete_note begin go_on",
        "allowed the note a",
        "streamed it began",
        "finished",
    ], done.stderr
    assert done.returncode == 0
    assert server.calls == ["read a"]


def test_denied_call_over_http_does_not_reach_the_server(server: Server, tf: Run) -> None:
    url = f"https://localhost:{server.port}/mcp"
    done = tf("run", "--", sys.executable, "client.py", url, "denied")
    # The SDK takes any refusal by status for the end of its session.
    assert "403 Forbidden" in done.stderr
    assert server.calls == ["read a"]
    (record,) = [
        one
        for one in map(json.loads, tf("logs", "--json").stdout.splitlines())
        if one["outcome"] == "denied"
    ]
    assert record["actions"][0]["name"] == "mcp.tools.call.delete_note"


def test_session_survives_a_refusal_in_its_own_protocol(
    server: Server, tf: Run, folder: Path
) -> None:
    config = folder / "tameflare.yaml"
    text = config.read_text()
    config.write_text(text.replace("    tools:", "    jsonrpc_errors: true\n    tools:"))
    url = f"https://localhost:{server.port}/mcp"
    done = tf("run", "--", sys.executable, "client.py", url, "denied")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["denied deny", "goes on the note b"]
    assert server.calls == ["read a", "read b"]


STDIO_CONFIG = """\
version: 1
gateway: desk
connectors:
  - {type: mcp, id: notes, stdio: true, tools: {read_note: {access: read}}}
permissions:
  - {connector: notes, action: "mcp.*", access: read, decision: allow}
  - {connector: notes, action: mcp.tools.call.write_note, decision: require_approval}
"""

STDIO_SERVER = """\
from pathlib import Path
from mcp.server.fastmcp import FastMCP

notes = FastMCP("notes", log_level="ERROR")

@notes.tool()
def read_note(name: str) -> str:
    return f"the note {name}"

@notes.tool()
def write_note(name: str) -> str:
    Path("written").write_text(name)
    return f"wrote {name}"

@notes.tool()
def delete_note(name: str) -> str:
    Path("deleted").write_text(name)
    return "gone"

notes.run()
"""

STDIO_CLIENT = """\
import os, sys
import anyio
from mcp import ClientSession, McpError, StdioServerParameters, stdio_client

if "terminal" in sys.argv:
    # The SDK gives a server a session of its own, which takes the terminal away from `tf mcp`;
    # other clients do not.
    start = anyio.open_process
    anyio.open_process = lambda *command, start_new_session, **how: start(*command, **how)

async def main():
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tameflare_cli", "mcp", "--", sys.executable, "server.py"],
        env=dict(os.environ),
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        print("tools", *(tool.name for tool in (await session.list_tools()).tools), flush=True)
        try:
            await session.call_tool("delete_note", {"name": "a"})
        except McpError as error:
            print("denied", error.error.code, error.error.data["action"], flush=True)

        async def write():
            try:
                answer = await session.call_tool("write_note", {"name": "b"})
                print("held", answer.content[0].text, flush=True)
            except McpError as error:
                print("refused", error.error.data["detail"], flush=True)

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            answer = await session.call_tool("read_note", {"name": "a"})
            print("allowed", answer.content[0].text, flush=True)
    print("ended", flush=True)

anyio.run(main)
"""


@pytest.fixture
def stdio(folder: Path) -> Path:
    """A gateway's configuration for a server over stdio, the server, and a client."""
    (folder / "tameflare.yaml").write_text(STDIO_CONFIG)
    (folder / "server.py").write_text(STDIO_SERVER)
    (folder / "client.py").write_text(STDIO_CLIENT)
    return folder


def test_client_calls_tools_over_stdio(stdio: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "client.py"],
        cwd=stdio,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    first, second, *rest = done.stdout.splitlines()
    assert first == "tools read_note write_note delete_note", done.stderr
    assert second == "denied -32043 mcp.tools.call.delete_note"
    allowed, refused = sorted(rest[:2])
    assert allowed == "allowed the note a"
    assert refused.endswith("nobody can be asked: this gateway has no terminal to ask on")
    assert rest[2:] == ["ended"]
    assert done.returncode == 0
    assert {path.name for path in stdio.iterdir()} == {"tameflare.yaml", "server.py", "client.py"}


def test_held_call_over_stdio_is_asked_on_the_terminal(stdio: Path, screen: Open) -> None:
    terminal = screen(sys.executable, "client.py", "terminal")
    # The call that is allowed does not wait for the one that is held.
    shown = terminal.wait_for("allowed the note a\n")
    if "[d]eny?" not in shown:
        shown += terminal.wait_for("[d]eny?")
    assert "denied -32043 mcp.tools.call.delete_note" in shown
    assert "action   mcp.tools.call.write_note  write, risk high" in shown
    assert "tool=write_note name=b" in shown
    assert not (stdio / "written").exists()
    terminal.type("a\n")
    terminal.wait_for("held wrote b\n")
    terminal.wait_for("ended\n")
    assert terminal.exit_status() == 0
    assert (stdio / "written").read_text() == "b"
    assert not (stdio / "deleted").exists()
