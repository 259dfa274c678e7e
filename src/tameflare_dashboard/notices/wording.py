"""An approval in the words of each channel; what comes from the agent in it cannot mislead."""

from __future__ import annotations

import hashlib
import hmac
import json
from email.message import EmailMessage
from typing import Any

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.db.models import ApprovalRow

__all__ = ["email_message", "signature", "slack_blocks", "slack_escaped", "webhook_document"]

_LONGEST = 2_500  # Slack refuses a text of 3,000 characters


def slack_escaped(text: str) -> str:
    """Text that Slack shows as it is: no mention, link or markup comes of it."""
    # Source: Slack, "Formatting text for app surfaces"; the zero-width space breaks its shorthands.
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("`", "'")[:_LONGEST]


def slack_blocks(approval: ApprovalRow, url: str) -> tuple[str, list[dict[str, Any]]]:
    """A Slack message: its plain text, and its blocks.

    Args:
        approval: what it is about; with buttons while it is pending.
        url: where the dashboard shows it.
    """
    request = approval.request
    actions = ", ".join(f"`{slack_escaped(each['name'])}`" for each in request["actions"][:10])
    risk = max((each["risk"] for each in request["actions"]), key=_RISKS.index)
    lines = [
        f"*{slack_escaped(request['gateway'])}* asks for {actions}",
        f"risk *{risk}* · {slack_escaped(request['reason'])}",
        f"`{slack_escaped(request['method'])} {slack_escaped(request['url'])}`",
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:_LONGEST]}}
    ]
    if approval.state == "pending":
        blocks.append(
            {
                "type": "actions",
                "elements": [
                    _button("approve", "Approve once", "primary", approval.id),
                    _button("deny", "Deny", "danger", approval.id),
                    {
                        "type": "button",
                        "action_id": "open",
                        "text": {"type": "plain_text", "text": "Look closer"},
                        "url": url,
                    },
                ],
            }
        )
    else:
        by = f" by {slack_escaped(approval.by)}" if approval.by else ""
        note = f": {slack_escaped(approval.note)}" if approval.note else ""
        ended = f"*{approval.state}*{by}{note}"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": ended}]})
    return f"{request['gateway']}: {request['actions'][0]['name']} ({approval.state})", blocks


_RISKS = ("low", "medium", "high", "critical")


def _button(action: str, text: str, style: str, approval_id: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": text},
        "style": style,
        "value": approval_id,
    }


def webhook_document(approval: ApprovalRow, url: str) -> bytes:
    """The body of a webhook.

    Args:
        approval: what it is about.
        url: where the dashboard shows it.
    """
    request = approval.request
    document = {
        "event": "approval.pending" if approval.state == "pending" else "approval.ended",
        "id": approval.id,
        "state": approval.state,
        "by": approval.by,
        "note": approval.note,
        "url": url,
        "created": approval.created.isoformat(),
        "expires": approval.expires.isoformat(),
        "request": {
            key: request[key]
            for key in ("gateway", "method", "url", "connector", "reason", "rule", "actions")
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """What shows whoever knows the secret that a webhook is ours: `v1=` and an HMAC-SHA256."""
    signed = timestamp.encode() + b"." + body
    digest = hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()
    return f"v1={digest}"


def email_message(approval: ApprovalRow, url: str, *, sender: str, to: list[str]) -> EmailMessage:
    """A mail in plain text.

    Args:
        approval: what it is about.
        url: where the dashboard shows it.
        sender: whom it is from.
        to: whom it is for.
    """
    request = approval.request
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(to)
    name = request["actions"][0]["name"]
    message["Subject"] = f"{request['gateway']}: {name} ({approval.state})"
    message["Message-ID"] = f"<{approval.id}.{approval.state}@tameflare>"
    lines = [
        f"{request['method']} {request['url']}",
        "",
        f"gateway   {request['gateway']}",
        f"actions   {', '.join(each['name'] for each in request['actions'])}",
        f"reason    {request['reason']}",
        f"state     {approval.state}{f' by {approval.by}' if approval.by else ''}",
        "",
        f"{url}",
    ]
    message.set_content("\n".join(lines))
    return message
