"""What people do in the pages, one thing after the other."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Dialog, expect

from tests.browser.conftest import PHONE, Screen
from tests.browser.stage import merge
from tests.dashboard.conftest import PASSWORD, ControlPlane
from tests.dashboard.gateway_api.test_traffic import record
from tests.dashboard.notices.standins import Http

CURL = "curl -X DELETE https://api.github.com/repos/acme/site -H 'Authorization: Bearer x'"


@pytest.fixture
def hook() -> Iterator[Http]:
    with Http() as hook:
        yield hook


def test_wrong_password_is_told_at_the_form(
    open_screen: Callable[..., Screen], plane: ControlPlane
) -> None:
    assert plane.owner.email
    screen = open_screen()
    page = screen.go("/traffic")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Ftraffic$"))
    page.get_by_label("E-mail").fill("owner@example.com")
    page.get_by_label("Password").fill("wrong horse battery")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("the address or the password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()
    # The browser itself says that the first answer was a 401.
    assert len(screen.complaints) == 1
    screen.complaints.clear()


def test_rules_are_tried_before_they_are_saved(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/gateways/prod-agent/permissions")
    answer = page.locator("#permissions-preview")
    page.get_by_label("An action, a request").fill(CURL)
    expect(answer.get_by_role("heading", name="deny")).to_be_visible()
    expect(
        answer.get_by_role("row", name=re.compile("github.repo.delete.*decides"))
    ).to_be_visible()
    expect(answer.get_by_role("row", name=re.compile("gives way")).first).to_be_visible()

    page.get_by_label("Search the catalogue").fill("pr merge")
    page.get_by_role("button", name="Add a rule for github.pr.merge", exact=True).click()
    rows = page.locator("#rule-rows tr")
    expect(rows).to_have_count(6)
    rows.last.get_by_label("Decision").select_option("deny")
    merged = answer.get_by_role(
        "row", name=re.compile(r"github\.pr\.merge high ask a human becomes deny")
    )
    expect(merged).to_be_visible()
    before = plane.owner.get("/api/v1/gateways/prod-agent/permissions").json()["items"]
    assert len(before) == 5, "nothing is saved yet"

    rows.last.get_by_label("Action").fill("github.pr.mrege")
    expect(answer.get_by_role("alert")).to_contain_text("matches no action of this connector")
    rows.last.get_by_label("Action").fill("github.pr.merge")
    expect(merged).to_be_visible()
    page.get_by_role("button", name="Save the rules").click()
    expect(
        answer.get_by_role("row", name=re.compile(r"github\.pr\.merge high deny"))
    ).to_be_visible()
    after = plane.owner.get("/api/v1/gateways/prod-agent/permissions").json()["items"]
    assert after[-1] == {"connector": "github", "action": "github.pr.merge", "decision": "deny"}


def test_edit_of_somebody_else_is_not_overwritten(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/gateways/prod-agent/permissions")
    rule = {"connector": "github", "action": "github.issue.*", "decision": "allow"}
    plane.owner.put("/api/v1/gateways/prod-agent/permissions", {"items": [rule]})
    page.get_by_label("Preset", exact=True).select_option("all")
    page.get_by_role("button", name="Save the rules").click()
    expect(page.locator("#rules [data-error]")).to_contain_text("Somebody else changed this")
    items = plane.owner.get("/api/v1/gateways/prod-agent/permissions").json()["items"]
    assert items == [rule]
    screen.complaints.clear()


def test_document_is_checked_and_tried_on_yesterday(screen: Screen, stage: dict[str, Any]) -> None:
    page = screen.go("/gateways/prod-agent/document")
    document = page.get_by_label("The gateway's document")
    text = document.input_value()
    document.fill(text.replace("action: github.repo.delete", "action: github.repo.delet"))
    mistake = page.get_by_role(
        "button", name=re.compile(r"tameflare\.yaml:\d+: .*matches no action")
    )
    mistake.click()
    chosen = page.evaluate(
        "(() => { const t = document.getElementById('document');"
        " return t.value.slice(t.selectionStart, t.selectionEnd); })()"
    )
    assert "github.repo.delet" in chosen
    document.fill(text + page.locator("[data-example]").inner_text() + "\n")
    expect(page.get_by_text("A gateway would load with this")).to_be_visible()
    policy = (
        "policies:\n  - name: no-reads\n    rules:\n      - name: none\n"
        "        when: {field: action.name, op: equals, value: github.repo.get}\n"
        "        decision: deny\n"
    )
    document.fill(text + policy)
    expect(page.get_by_text("A gateway would load with this")).to_be_visible()
    page.get_by_role("button", name="Try it on yesterday's traffic").click()
    row = page.get_by_role("row", name=re.compile(r"newly denied github\.repo\.get"))
    expect(row).to_contain_text("allow")


def test_wizard_starts_from_a_template(screen: Screen, plane: ControlPlane) -> None:
    page = screen.go("/gateways/new")
    page.get_by_label("prod-agent").check()
    expect(page.get_by_label("Name", exact=True)).to_have_value("prod-agent")
    expect(page.locator("#preview").get_by_role("row", name="github.pr.merge")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    page.locator("#credential-github").select_option("")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Make the gateway").click()
    expect(
        page.get_by_role("alert").filter(has_text="Paste the credential for stripe")
    ).to_be_visible()
    page.locator("#value-stripe").fill("sk_test_123")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Make the gateway").click()
    expect(page.locator("#shown-once").get_by_text("tf init --gateway prod-agent")).to_be_visible()
    made = plane.owner.get("/api/v1/gateways/prod-agent").json()
    assert "credential: vault:prod-agent-stripe" in made["document"]
    assert "category: destructive" in made["document"]
    assert plane.owner.get("/api/v1/credentials").json()[0]["name"] == "prod-agent-stripe"
    assert "sk_test_123" not in page.content()


def test_wizard_takes_rules_of_ones_own(screen: Screen, plane: ControlPlane) -> None:
    page = screen.go("/gateways/new")
    page.get_by_label("Name", exact=True).fill("docs-bot")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("checkbox", name="github").check()
    page.locator("#credential-github").select_option("")
    page.locator("#preset-github").select_option("custom")
    rules = page.locator("#rules-github")
    preview = page.locator("#preview")
    rules.fill("github.repo.get maybe")
    expect(preview).to_contain_text("github, rule 1: write an action")
    rules.fill("github.nothing.* allow")
    expect(preview).to_contain_text("matches no action of this connector")
    rules.fill("github.* access=read allow\ngithub.pr.* repo=docs ask")
    expect(preview.get_by_role("row", name="github.repo.get low allow")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Make the gateway").click()
    expect(page.locator("#shown-once")).to_be_visible()
    items = plane.owner.get("/api/v1/gateways/docs-bot/permissions").json()["items"]
    assert items == [
        {"connector": "github", "action": "github.*", "access": "read", "decision": "allow"},
        {
            "connector": "github",
            "action": "github.pr.*",
            "resource": {"repo": "docs"},
            "decision": "require_approval",
        },
    ]


def test_gateway_is_duplicated_rotated_and_deleted(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/gateways/prod-agent")
    page.get_by_role("button", name="New token").click()
    expect(page.locator("#shown-once code").first).to_have_text(re.compile("^gwtk_"))
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(2)
    page.get_by_label("Name of the copy").fill("staging")
    page.get_by_role("button", name="Duplicate").click()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("heading", name="staging", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete staging").click()
    assert plane.owner.get("/api/v1/gateways/staging").status_code == 200, "its name was not typed"
    page.get_by_label("Type staging to delete it").fill("staging")
    page.get_by_role("button", name="Delete staging").click()
    expect(page.get_by_role("heading", name="Gateways")).to_be_visible()
    assert plane.owner.get("/api/v1/gateways/staging").status_code == 404


def test_traffic_is_filtered_looked_at_and_made_a_rule(
    screen: Screen, stage: dict[str, Any]
) -> None:
    page = screen.go("/")
    page.get_by_role("link", name=re.compile(r"^\d+ denied$")).click()
    expect(page).to_have_url(re.compile(r"outcome=denied"))
    rows = page.locator("#rows tr")
    assert rows.count() > 10
    page.get_by_label("Action", exact=True).fill("github.repo.*")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"action=github\.repo\.\*"))
    rows.first.get_by_role("link").click()
    drawer = page.get_by_role("dialog", name="Details")
    expect(drawer.get_by_text("Where the time went")).to_be_visible()
    expect(
        drawer.get_by_role("row", name=re.compile("github.repo.delete.*decides"))
    ).to_be_visible()
    drawer.get_by_role("link", name="Ask a human").click()
    last = page.locator("#rule-rows tr").last
    expect(last.get_by_label("Action")).to_have_value("github.repo.delete")
    expect(last.get_by_label("Decision")).to_have_value("require_approval")
    preview = page.locator("#permissions-preview")
    expect(preview.get_by_role("alert")).to_be_hidden()
    page.goto(screen.url + "/traffic?status=9&gateway=nobody")
    expect(page.get_by_role("alert")).to_have_count(2)


def test_live_tail_keeps_up(screen: Screen, plane: ControlPlane, stage: dict[str, Any]) -> None:
    """200 records a second for some seconds: nothing is missed, and the page stays smooth."""
    page = screen.go("/traffic?gateway=prod-agent")
    expect(page.locator("#rows tr")).to_have_count(50)
    page.evaluate(
        """() => { window.longest = 0; let last = performance.now();
        const tick = (now) => { window.longest = Math.max(window.longest, now - last);
        last = now; requestAnimationFrame(tick); }; requestAnimationFrame(tick); }"""
    )
    proxy = plane.as_gateway(stage["token"])
    stopping = threading.Event()

    def flood() -> None:
        number = 0
        while not stopping.is_set() and number < 1000:
            now = datetime.now(UTC)
            batch = [record(now, number + n, path=f"/tail/{number + n}") for n in range(50)]
            proxy.post("/api/gateway/traffic", json={"records": batch}).raise_for_status()
            number += 50
            stopping.wait(0.25)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        expect(page.get_by_text("/tail/999", exact=False)).to_be_visible(timeout=20_000)
    finally:
        stopping.set()
        thread.join()
    expect(page.locator("#rows tr")).to_have_count(200)
    seen = page.locator("#rows tr").filter(has_text="/tail/").count()
    assert seen == 200
    assert page.evaluate("window.longest") < 1000

    # Paused, it stands still.
    page.get_by_role("button", name="Following").click()
    first = page.locator("#rows tr").first.inner_text()
    batch = {"records": [record(datetime.now(UTC), 5000, path="/after")]}
    proxy.post("/api/gateway/traffic", json=batch)
    page.wait_for_timeout(1500)
    assert page.locator("#rows tr").first.inner_text() == first
    page.get_by_role("button", name="Paused").click()
    expect(page.get_by_text("/after")).to_be_visible()


def test_queue_updates_itself_and_keeps_what_is_written(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/approvals")
    expect(page.get_by_role("article")).to_have_count(2)
    place = page.get_by_role("article").filter(has_text="149.00 EUR")
    place.get_by_label("Note").fill("looks right to me")
    proxy = plane.as_gateway(stage["token"])
    proxy.post("/api/gateway/approvals", json=merge("apv_third00000000001"))
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page).to_have_title(re.compile(r"^\(3\)"))
    expect(place.get_by_label("Note")).to_have_value("looks right to me")
    place.get_by_role("button", name="Approve once").click()
    expect(page.get_by_role("article")).to_have_count(2)
    answered = plane.owner.get("/api/v1/approvals/apv_refund0000000001").json()
    assert (answered["state"], answered["note"]) == ("approved", "looks right to me")


NOTIFIED = """
window.notified = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, options) { super(); window.notified.push([title, options.body]); }
};
document.hasFocus = () => false;
"""


def test_whoever_is_elsewhere_is_notified(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    screen.page.add_init_script(NOTIFIED)
    page = screen.go("/approvals")
    proxy = plane.as_gateway(stage["token"])
    proxy.post("/api/gateway/approvals", json=merge("apv_third00000000001"))
    expect(page.get_by_role("article")).to_have_count(3)
    assert page.evaluate("notified") == [["An agent asks", "prod-agent: github.pr.merge"]]


def test_approval_that_was_answered_elsewhere_says_so(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/approvals/apv_merge00000000001")
    plane.owner.post("/api/v1/approvals/apv_merge00000000001/deny", {"note": "no"})
    page.get_by_role("button", name="Approve once").click()
    expect(page.locator("article [data-error]")).not_to_be_empty()
    screen.complaints.clear()


def test_approval_on_a_phone(
    open_screen: Callable[..., Screen], plane: ControlPlane, stage: dict[str, Any]
) -> None:
    screen = open_screen(plane.user("member"), size=PHONE, has_touch=True, is_mobile=True)
    page = screen.go("/")
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("link", name=re.compile("Approvals")).tap()
    button = page.get_by_role("article").first.get_by_role("button", name="Deny")
    page.wait_for_timeout(500)  # the page asks once more for what changed while it was loading
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 36
    button.tap()
    expect(page.get_by_role("article")).to_have_count(1)


def test_team_grows_and_shrinks(
    screen: Screen, open_screen: Callable[..., Screen], plane: ControlPlane
) -> None:
    page = screen.go("/team")
    page.get_by_label("E-mail").fill("nora@example.com")
    page.get_by_role("button", name="Make an invitation").click()
    link = page.locator("#shown-once code").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    theirs = open_screen()
    guest = theirs.go(link[link.index("/invitations/") :])
    guest.get_by_label("Your name").fill("Nora")
    guest.get_by_label("Password").fill("short")
    guest.get_by_role("button", name="Join").click()
    assert guest.get_by_label("Password").evaluate("field => field.validity.tooShort")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Join").click()
    expect(guest.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()
    with page.expect_navigation():
        page.get_by_label("Role of nora@example.com").select_option("viewer")
    expect(page.get_by_label("Role of nora@example.com")).to_have_value("viewer")
    guest.reload()
    expect(guest.get_by_text("Stop…")).to_have_count(0)

    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("button", name="Activate", exact=True)).to_be_visible()
    assert asked == ["Deactivate nora@example.com? They are logged out everywhere at once."]
    guest.reload()
    expect(guest.get_by_role("heading", name="Log in")).to_be_visible()
    theirs.complaints.clear()  # the browser says that the open page was refused what it asked for


def test_settings_are_kept_and_channels_tried(
    screen: Screen, plane: ControlPlane, hook: Http
) -> None:
    page = screen.go("/settings")
    page.get_by_label("Traffic is kept for").fill("30")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_label("Traffic is kept for")).to_have_value("30")
    page.get_by_label("financial").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).nth(1).click()
    expect(page.get_by_label("financial")).to_be_checked()
    notices = page.locator("#notices")
    notices.get_by_label("Address").fill(f"{hook.url}/hook")
    notices.get_by_label("Secret", exact=True).fill("shh-it-is-secret")
    notices.locator("#after-webhook").select_option("60")
    with page.expect_navigation():
        page.get_by_role("button", name="Save where approvals are told").click()
    expect(notices.locator("#after-webhook")).to_have_value("60")
    expect(notices.get_by_label("Secret", exact=True)).to_have_value("")
    card = notices.locator(".card").filter(has_text="Webhook")
    card.get_by_role("button", name="Send a test").click()
    expect(card.get_by_text("It arrived there.")).to_be_visible()
    assert hook.bodies("/hook")[0]["event"] == "test"
    slack = notices.locator(".card").filter(has_text="Slack").first
    slack.get_by_role("button", name="Send a test").click()
    expect(slack.get_by_text("Slack is not set up")).to_be_visible()
    screen.complaints.clear()
    saved = plane.owner.get("/api/v1/settings").json()
    assert saved["retention_days"] == 30
    assert plane.owner.get("/api/v1/blocked-categories").json()["items"] == ["financial"]


def test_policy_for_every_gateway_is_written_in_place(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = screen.go("/settings")
    page.get_by_text("A new policy").click()
    page.get_by_label("Name of the policy").fill("careful")
    text = page.get_by_label("What it says, in YAML")
    good = text.input_value()
    text.fill(good.replace("destructive", "no_such_category"))
    page.get_by_role("button", name="Add the policy").click()
    error = page.locator("form", has=text).locator("[data-error]")
    expect(error).to_contain_text("no_such_category")
    text.fill(good)
    with page.expect_navigation():
        page.get_by_role("button", name="Add the policy").click()
    page.get_by_text("careful", exact=True).click()
    expect(page.get_by_label("careful in YAML")).to_contain_text("destructive")
    assert [each["name"] for each in plane.owner.get("/api/v1/policies").json()] == ["careful"]
    screen.complaints.clear()


def test_token_of_ones_own_is_shown_once(screen: Screen, plane: ControlPlane) -> None:
    page = screen.go("/account")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#shown-once code").inner_text()
    assert (
        plane.client()
        .get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
        .status_code
        == 200
    )
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("row", name=re.compile("laptop"))).to_be_visible()
    assert token not in page.content()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_audit_log_is_filtered_and_verified(screen: Screen, stage: dict[str, Any]) -> None:
    page = screen.go("/audit")
    page.get_by_role("link", name="gateway.create").first.click()
    expect(page).to_have_url(re.compile("verb=gateway.create"))
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="Is it whole?").click()
    expect(page.get_by_role("status").filter(has_text="The log is whole")).to_be_visible()


def test_mistake_stands_beside_its_field(screen: Screen, stage: dict[str, Any]) -> None:
    page = screen.go("/gateways/prod-agent")
    page.get_by_role("link", name="Stop…").click()
    dialog = page.get_by_role("dialog", name="Stop agents now")
    dialog.get_by_label("What to stop").fill("gateway:Prod Agent")
    dialog.get_by_label("Why").fill("a test")
    dialog.get_by_role("button", name="Stop now").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not the name of a gateway")
    screen.complaints.clear()


@pytest.mark.parametrize("path", ["/", "/gateways/prod-agent/permissions"])
def test_page_can_be_read_without_scripts(
    open_screen: Callable[..., Screen], plane: ControlPlane, stage: dict[str, Any], path: str
) -> None:
    page = open_screen(plane.owner, java_script_enabled=False).go(path)
    expect(page.get_by_role("main")).to_contain_text("github")
    page.get_by_role("link", name="Traffic", exact=True).first.click()
    expect(page.get_by_role("row")).to_have_count(51)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("row")).to_have_count(51)
    page.get_by_role("link", name="Details of this request").first.click()
    expect(page.get_by_text("Where the time went")).to_be_visible()


def test_light_and_dark_are_remembered(screen: Screen, plane: ControlPlane) -> None:
    page = screen.go("/")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "light"
    page.get_by_role("button", name="Light or dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_times_are_local_and_utc_is_told(
    open_screen: Callable[..., Screen], plane: ControlPlane, stage: dict[str, Any]
) -> None:
    page = open_screen(plane.owner, timezone_id="Asia/Kathmandu", locale="de-DE").go("/audit")
    shown = page.locator("time").first
    assert shown.get_attribute("title").endswith(" UTC")  # type: ignore[union-attr]
    utc = datetime.fromisoformat(shown.get_attribute("datetime"))  # type: ignore[arg-type]
    minute = (utc.minute + 45) % 60
    expect(shown).to_have_text(re.compile(rf":{minute:02}:"))


def test_many_tabs_share_one_stream(
    screen: Screen, plane: ControlPlane, stage: dict[str, Any]
) -> None:
    """A browser opens six connections to a server: a stream of each tab would use them up."""
    context = screen.page.context
    tabs = [screen.page, *(context.new_page() for _ in range(8))]
    for tab in tabs:
        tab.goto(screen.url + "/approvals")
        expect(tab.get_by_role("article")).to_have_count(2)
    proxy = plane.as_gateway(stage["token"])
    proxy.post("/api/gateway/approvals", json=merge("apv_third00000000001"))
    for tab in tabs:
        expect(tab.get_by_role("article")).to_have_count(3)
    # Whichever tab has the stream: another one takes over when it goes.
    for tab in tabs[:-1]:
        tab.close()
    tabs[-1].wait_for_timeout(500)
    plane.owner.post("/api/v1/approvals/apv_third00000000001/deny", {})
    expect(tabs[-1].get_by_role("article")).to_have_count(2)
