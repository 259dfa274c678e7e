"""`tf users`: invited, changed, removed."""

from __future__ import annotations

import json

from tests.cli.planes import LoggedIn


def test_users_are_managed(logged_in: LoggedIn) -> None:
    invited = logged_in.tf("users", "add", "bo@example.com", "--role", "admin")
    assert "/invitations/" in invited.stdout
    admin = logged_in.plane.user("admin")
    changed = logged_in.tf("users", "set", admin.email, "--role", "viewer", "--slack", "U012AB3CD")
    assert "viewer" in changed.stdout
    listed = json.loads(logged_in.tf("users", "list", "--json").stdout)
    assert {user["email"]: user["role"] for user in listed}[admin.email] == "viewer"
    assert "viewer" in logged_in.tf("users", "list").stdout
    assert logged_in.tf("users", "set", admin.email).returncode == 2
    assert logged_in.tf("users", "set", admin.email, "--inactive").returncode == 0
    assert logged_in.tf("users", "remove", admin.email).returncode == 0
    assert logged_in.tf("users", "remove", "owner@example.com").returncode == 4
