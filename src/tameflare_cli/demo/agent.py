"""The agent of the demo: three calls with nothing but the standard library, told as JSON Lines.

It knows nothing of TameFlare. The proxy, the trusted certificates and the key that it sends come
from its environment, as they would for any program.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request


def call(method: str, url: str, body: dict[str, object] | None) -> dict[str, object]:
    """Send one request and say what came of it."""
    key = os.environ["GITHUB_TOKEN"]
    request = urllib.request.Request(  # noqa: S310  # the demo's own addresses
        url, method=method, data=None if body is None else json.dumps(body).encode()
    )
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            status, kind, text = response.status, response.headers["content-type"], response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, kind, text = error.code, error.headers["content-type"], error.read()
    return {"sent": f"Bearer {key}", "status": status, "type": kind, "body": json.loads(text)}


def main() -> None:
    """Make the calls that standard input lists, one JSON object a line."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(call(**json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
