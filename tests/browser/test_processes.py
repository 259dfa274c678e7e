"""What people do in the pages, with real agents behind real gateways."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from playwright.sync_api import Page, expect

from tests.browser.conftest import Screen
from tests.cli.harness import TF
from tests.cli.stack import Stack
from tests.dashboard.conftest import PASSWORD
from tests.standin import Standin, event_stream

POST = (
    "import urllib.request as r;"
    "print(r.urlopen(r.Request('https://localhost:{port}/orders', b'total=5')).status)"
)
STREAM = "import urllib.request as r; print(len(r.urlopen('https://localhost:{port}/slow').read()))"


def started(stack: Stack, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TF, "run", "-q", "--", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=stack.folder,
        env=stack.environment,
        text=True,
    )


def log_in(screen: Screen) -> Page:
    page = screen.go("/login")
    page.get_by_label("E-mail").fill("a@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


def test_from_nothing_to_the_first_allowed_request(
    stack: Stack, stack_screen: Screen, standin: Standin
) -> None:
    _, said = stack.up()
    link = re.search(r"http\S+/setup#\S+", said)
    assert link is not None, said
    page = stack_screen.page
    page.goto(link[0])
    expect(page.get_by_label("Set-up code")).not_to_have_value("")
    for label, text in (
        ("Organization", "Acme"),
        ("Your name", "Ana"),
        ("E-mail", "a@example.com"),
        ("Password", PASSWORD),
    ):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Set up").click()

    # The wizard
    page.get_by_label("Name", exact=True).fill("shop-agent")
    page.get_by_label("Environment").fill("production")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("generic").check()
    page.get_by_label("Hosts").first.fill(f"localhost:{standin.port}")
    page.locator("#value-generic").fill("k3y")
    page.locator("#preset-generic").select_option("read")
    preview = page.locator("#preview")
    expect(preview.get_by_role("row", name="http.post medium deny")).to_be_visible()
    expect(preview.get_by_role("row", name="http.get low allow")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Make the gateway").click()
    dialog = page.locator("#shown-once")
    expect(dialog.get_by_text(re.compile("^gwtk_"))).to_be_visible()
    expect(dialog.get_by_text("tf init --gateway shop-agent")).to_be_visible()
    page.get_by_role("button", name="I have kept it").click()

    # What a test's service needs besides
    page.get_by_role("link", name="Policies and document").click()
    page.wait_for_url("**/document")
    document = page.get_by_label("The gateway's document")
    text = document.input_value()
    additions = (
        f"  allow_private_network: true\n  ca_file: {standin.ca_file}\n  auth: {{type: bearer}}\n"
    )
    document.fill(text.replace("- type: generic\n", f"- type: generic\n{additions}"))
    expect(page.get_by_text("A gateway would load with this")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A gateway would load with this")).to_be_hidden()

    # The command is let in by the page
    login = subprocess.Popen(
        [*TF, "login", "--url", stack.url],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=stack.folder,
        env=stack.environment,
        text=True,
    )
    assert login.stderr is not None
    code = re.search(r"your code is (\S+)", login.stderr.readline())
    assert code is not None
    stack_screen.go(f"/login/confirm?code={code[1]}")
    page.get_by_role("button", name="It is mine: log it in").click()
    expect(page.get_by_text("The command is logged in.")).to_be_visible()
    assert login.wait(30) == 0
    login.communicate()

    chosen = stack.tf(
        "init", "--gateway", "shop-agent", "--proxy", f"http://127.0.0.1:{stack.proxy}"
    )
    assert chosen.returncode == 0, chosen.stderr
    stack_screen.go("/traffic")
    done = stack.get(standin)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    assert standin.requests[-1].header("authorization") == "Bearer k3y"
    expect(
        page.get_by_role("row", name=re.compile("shop-agent.*http.get.*forwarded.*200"))
    ).to_be_visible()


def test_held_request_is_approved_in_the_page(
    stack: Stack, stack_screen: Screen, standin: Standin
) -> None:
    stack.up()
    stack.log_in()
    stack.choose(standin)
    page = log_in(stack_screen)
    stack_screen.go("/approvals")
    expect(page.get_by_text("Nothing waits")).to_be_visible()

    agent = started(stack, POST.format(port=standin.port))
    expect(page.get_by_role("heading", name="agent asks for http.post")).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\) Approvals"))
    assert standin.requests == []
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    out, err = agent.communicate(timeout=30)
    assert (agent.returncode, out) == (0, "200\n"), err
    assert standin.requests[-1].method == "POST"

    denied = started(stack, POST.format(port=standin.port))
    place = page.get_by_role("article")
    place.get_by_label("Note").fill("not before the audit")
    place.get_by_role("button", name="Deny").click()
    assert denied.wait(30) != 0
    assert "403" in denied.communicate()[1]
    assert len(standin.requests) == 1

    # "For a time" lets the same pass again without being asked.
    third = started(stack, POST.format(port=standin.port))
    place.get_by_role("button", name="Approve for this time").click()
    assert third.communicate(timeout=30)[0] == "200\n"
    again = started(stack, POST.format(port=standin.port))
    assert again.communicate(timeout=30)[0] == "200\n"
    stack_screen.go("/approvals/history")
    expect(page.get_by_role("row", name=re.compile("denied.*not before the audit"))).to_be_visible()


def test_kill_switch_is_pulled_while_an_answer_streams(
    stack: Stack, stack_screen: Screen, standin: Standin
) -> None:
    flowing, over = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        while not over.wait(0.05):
            flowing.set()
            yield b"data: more\n\n"

    standin.answer("GET", "/slow", lambda _: event_stream(slowly()))
    stack.up()
    stack.log_in()
    stack.choose(standin)
    page = log_in(stack_screen)
    agent = started(stack, STREAM.format(port=standin.port))
    assert flowing.wait(30), "the answer has begun"

    page.get_by_role("link", name="Stop…").click()
    page.get_by_label("Why").fill("it is buying shoes")
    pressed = time.monotonic()
    page.get_by_role("button", name="Stop now").click()
    assert agent.wait(10) != 0
    took = time.monotonic() - pressed
    over.set()
    assert took < 3, f"the program ended after {took:.1f} s"
    agent.communicate()
    expect(page.get_by_role("alert").get_by_text("STOPPED: org")).to_be_visible()
    expect(page.get_by_role("alert").get_by_text("it is buying shoes")).to_be_visible()
    assert stack.get(standin).returncode != 0

    stack_screen.go("/kill-switches")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_text("Nothing is stopped.")).to_be_visible()
    assert stack.get(standin).stdout == "200\n"
