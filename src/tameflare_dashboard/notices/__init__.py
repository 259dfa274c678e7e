"""Approvals told where people are: Slack, a webhook, e-mail; one after another."""
