from __future__ import annotations

import json
import subprocess
import sys

from tameflare_cli.demo import agent
from tests.standin import Standin, as_json


def test_agent_tells_what_it_sent_and_got(standin: Standin) -> None:
    standin.answer("GET", "/missing", as_json({"why": "gone"}, status=404))
    calls = [
        {"method": "POST", "url": f"{standin.url}/x", "body": {"amount": 1}},
        {"method": "GET", "url": f"{standin.url}/missing", "body": None},
    ]
    finished = subprocess.run(
        [sys.executable, str(agent.__file__)],
        input="".join(json.dumps(call) + "\n" for call in calls),
        env={"GITHUB_TOKEN": "placeholder", "SSL_CERT_FILE": str(standin.ca_file)},
        capture_output=True,
        text=True,
        check=True,
    )
    posted, missing = map(json.loads, finished.stdout.splitlines())
    assert posted["status"] == 200
    assert posted["sent"] == "Bearer placeholder"
    assert json.loads(posted["body"]["body"]) == {"amount": 1}
    assert (missing["status"], missing["body"]) == (404, {"why": "gone"})
