"""Every page, as everybody: who is let in, what is offered to whom, and what a page never does."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fastapi.routing import iter_route_contexts

from tameflare_core.kill_switch import KillScope
from tameflare_dashboard.auth.roles import Capability
from tests.browser.stage import furnish
from tests.dashboard.auth.test_gate import capabilities
from tests.dashboard.conftest import ControlPlane
from tests.dashboard.gateway_api.asking import approval
from tests.dashboard.gateway_api.test_traffic import record

OPEN = {"/login", "/setup", "/invitations/{token}"}
HTML = {"Accept": "text/html"}
# What comes in at the gateway API, and must be shown as text and as nothing else.
NASTY = "<img src=x onerror=alert(1)>\u202etxt.exe\u200b\x1b[31m"


def pages(plane: ControlPlane) -> list[tuple[str, str, set[Capability]]]:
    found = [
        (method, context.path or "", capabilities(context.dependant))
        for context in iter_route_contexts(plane.app.routes)
        if getattr(context.endpoint, "__module__", "").startswith("tameflare_dashboard.pages.")
        for method in sorted(context.methods or ())
    ]
    assert len(found) > 20
    return found


def address(path: str) -> str:
    return path.replace("{gateway}", "prod-agent").replace("{id}", "none").replace("{token}", "x")


def test_every_page_takes_somebody_who_may_see(control_plane: ControlPlane) -> None:
    nobody = control_plane.client(headers=HTML, follow_redirects=False)
    furnish(control_plane)
    for method, path, needed in pages(control_plane):
        if path in OPEN:
            assert needed == set()
            continue
        assert needed == {Capability.SEE}, path
        answer = nobody.request(method, address(path))
        current = {"HX-Request": "true", "HX-Current-URL": f"{control_plane.url}/traffic?risk=high"}
        part = nobody.request(method, address(path), headers=current)
        assert part.status_code == 401, path
        assert part.headers["hx-redirect"] == "/login?next=%2Ftraffic%3Frisk%3Dhigh"
        if method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login?next=%2F"), path
        else:
            assert answer.status_code == 401, path


def test_pages_only_read(control_plane: ControlPlane) -> None:
    """What is posted to a page is looked at and shown; nothing in the database is other for it."""
    furnish(control_plane)
    owner = control_plane.owner
    before = owner.get("/api/v1/audit").json()["items"][0]["seq"]
    for method, path, _ in pages(control_plane):
        if path not in OPEN and path != "/live":
            answer = owner.write(method, address(path), headers=HTML)
            assert answer.status_code in {200, 404}, f"{path}: {answer.status_code}"
        if method == "POST":
            # Another site's page cannot make the browser ask for it either.
            refused = owner.client.post(address(path), headers=HTML)
            assert refused.status_code == 403, path
    assert owner.get("/api/v1/audit").json()["items"][0]["seq"] == before


def test_roles_are_offered_what_they_may_do(control_plane: ControlPlane) -> None:
    furnish(control_plane)
    offers = {
        ("/", "Stop…"): {"owner", "admin", "member"},
        ("/approvals", "Approve once"): {"owner", "admin", "member"},
        ("/gateways", "New gateway"): {"owner", "admin"},
        ("/gateways/prod-agent", "Delete prod-agent"): {"owner", "admin"},
        ("/team", "Make an invitation"): {"owner"},
    }
    users = {role: control_plane.user(role) for role in ("admin", "member", "viewer")}
    users["owner"] = control_plane.owner
    for (path, words), allowed in offers.items():
        for role, user in users.items():
            assert (words in user.get(path).text) == (role in allowed), f"{role} {path}"


def test_only_an_owner_is_offered_to_start_again(control_plane: ControlPlane) -> None:
    scope = str(KillScope.parse("org"))
    member = control_plane.user("member")
    assert member.post("/api/v1/kill-switches", {"scope": scope, "reason": "x"}).status_code == 201
    assert "an owner can end it" in member.get("/kill-switches").text
    assert "Start again" in control_plane.owner.get("/kill-switches").text
    for path in ("/", "/traffic", "/gateways", "/account"):
        assert "STOPPED: " in member.get(path).text


def test_page_that_was_wanted_comes_after_the_login(control_plane: ControlPlane) -> None:
    assert control_plane.owner.get("/login?next=/traffic").headers["location"] == "/traffic"
    for elsewhere in ("//evil.example", "/\\evil.example", "https://evil.example"):
        answer = control_plane.owner.client.get("/login", params={"next": elsewhere})
        assert answer.headers["location"] == "/"
    page = control_plane.client().get("/login?next=//evil.example")
    assert 'data-then="/"' in page.text


def test_setup_and_login_lead_to_each_other(control_plane: ControlPlane) -> None:
    nobody = control_plane.client()
    assert nobody.get("/login").headers["location"] == "/setup"
    assert "Become the first owner" in nobody.get("/setup").text
    assert control_plane.owner.email
    assert nobody.get("/setup").headers["location"] == "/login"


def test_problem_is_told_as_a_page(control_plane: ControlPlane) -> None:
    answer = control_plane.owner.get("/gateways/nobody", headers=HTML)
    assert (answer.status_code, "there is no gateway" in answer.text) == (404, True)
    assert answer.headers["content-type"].startswith("text/html")
    assert control_plane.owner.get("/nothing/here", headers=HTML).status_code == 404
    as_data = control_plane.owner.get("/gateways/nobody")
    assert as_data.json()["title"] == "Not found"


def test_what_an_agent_wrote_is_text(control_plane: ControlPlane) -> None:
    gateway = control_plane.owner.gateway()
    proxy = control_plane.as_gateway(gateway["token"])
    action = approval("apv_nasty0000000001")["actions"][0]
    nasty = approval(
        "apv_nasty0000000001",
        url=f"https://api.github.com/{NASTY}",
        body=NASTY,
        reason=NASTY,
        actions=[{**action, "resource": {"repo": NASTY}, "params": {"title": NASTY}}],
        created=datetime.now(UTC).isoformat(),
    )
    assert proxy.post("/api/gateway/approvals", json=nasty).status_code == 201
    row = record(datetime.now(UTC), path=f"/{NASTY}", reason=NASTY, error=NASTY)
    batch = {"records": [row]}
    assert proxy.post("/api/gateway/traffic", json=batch).status_code == 200
    for path in (
        "/approvals",
        "/approvals/apv_nasty0000000001",
        "/traffic",
        f"/traffic/{row['id']}",
    ):
        text = control_plane.owner.get(path).text
        assert "onerror" in text, path
        assert "<img" not in text, path
        for char in "\u202e\u200b\x1b":
            assert char not in text, f"{path}: {char!r}"


def test_what_a_gateway_leaves_out_breaks_no_page(control_plane: ControlPlane) -> None:
    """Agents know their gateway's token, and can hand in whatever the API takes."""
    proxy = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    needed = ("id", "time", "gateway", "method", "host", "connector", "decision", "outcome")
    whole = record(datetime.now(UTC), actions=[{"name": "x", "risk": "unheard of"}])
    bare = {name: whole[name] for name in (*needed, "status", "actions")}
    assert proxy.post("/api/gateway/traffic", json={"records": [bare]}).status_code == 200
    strange = approval("apv_strange000000001")
    strange["actions"][0]["risk"] = "unheard of"
    assert proxy.post("/api/gateway/approvals", json=strange).status_code == 422
    for path in ("/", "/traffic", f"/traffic/{bare['id']}", "/traffic/rows", "/approvals"):
        assert control_plane.owner.get(path).status_code == 200, path


STRANGE = (
    "/traffic?gateway=%00",
    "/traffic?cursor=x",
    "/traffic?action=%00",
    "/traffic?since=yesterday&until=x&risk=x",
    "/traffic/rows?after=x",
    "/audit?verb=%00",
    "/gateways/%00",
    "/?range=x",
    "/approvals/%00",
    "/approvals/history?cursor=e30",
    "/login?next=%00",
    "/invitations/%00",
)


def test_strange_addresses_are_no_faults(control_plane: ControlPlane) -> None:
    for path in STRANGE:
        status = control_plane.owner.get(path, headers=HTML).status_code
        assert status in {200, 303, 404, 422}, path


def test_template_of_any_name_reads_no_file(control_plane: ControlPlane) -> None:
    body = "name=a&template=../../../x&connector=github&preset.github=template"
    answer = control_plane.owner.write("POST", "/gateways/new/preview", content=body)
    assert answer.status_code == 200


def test_page_asks_for_nothing_elsewhere(control_plane: ControlPlane) -> None:
    page = control_plane.owner.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    for address_ in re.findall(r'(?:src|href|hx-get|sse-connect)="([^"]+)"', page.text):
        assert address_.startswith(("/", "#")), address_


def test_files_are_compressed_and_kept(control_plane: ControlPlane) -> None:
    client = control_plane.client(headers={"Accept-Encoding": "gzip"})
    for name in ("vendor/tabler.css", "app.css", "app.js", "vendor/htmx.js"):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/../app.py").status_code == 404


def test_first_load_is_small(control_plane: ControlPlane) -> None:
    furnish(control_plane)
    page = control_plane.owner.get("/")
    size = len(page.content)
    client = control_plane.client(headers={"Accept-Encoding": "gzip"})
    modules = [
        "call.js",
        "forms.js",
        "live.js",
        "once.js",
        "chart.js",
    ]  # what `app.js` loads in turn
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    for name in [*names, *(f"/static/{module}" for module in modules)]:
        with client.stream("GET", name) as answer:
            size += sum(map(len, answer.iter_raw()))
    assert size < 300_000
