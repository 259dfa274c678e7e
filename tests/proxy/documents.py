"""Gateways under test, as templates."""

DOCUMENT = """
    version: 1
    gateway: agent
    connectors:
      - {{type: github, base_url: "https://localhost:{port}/api/v3", credential: "file:key",
         allow_private_network: true, ca_file: "{ca_file}"}}
    permissions:
      - {{connector: github, action: "github.*", access: read, decision: allow}}
      - {{connector: github, action: "github.*", decision: require_approval}}
      - {{connector: github, action: github.repo.delete, decision: deny}}
      - {{connector: github, action: github.release_asset.upload, decision: allow}}
      - {{connector: github, action: github.issue.create, decision: allow}}
      {extra}
    approval: {{timeout: {timeout}}}
"""

PLAIN = """
    version: 1
    gateway: agent
    connectors:
      - {{type: generic, id: plain, base_url: "http://localhost:{port}",
         allow_private_network: true}}
    permissions:
      - {{connector: plain, action: "http.*", decision: allow}}
      - {{connector: plain, action: "http.delete", decision: deny}}
      {extra}
    approval: {{timeout: {timeout}}}
"""

GENERIC = """
    version: 1
    gateway: agent
    connectors:
      - {{type: generic, id: api, base_url: "https://localhost:{port}", credential: "file:key",
         auth: {{type: bearer}}, allow_private_network: true, ca_file: "{ca_file}"}}
    permissions:
      - {{connector: api, action: "http.*", decision: allow}}
      - {{connector: api, action: "http.delete", decision: deny}}
      - {{connector: api, action: "http.put", decision: require_approval}}
      {extra}
    approval: {{timeout: {timeout}}}
"""
