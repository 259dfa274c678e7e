"""Three calls with requests; prints the status of each."""

import sys

import requests

base = sys.argv[1]
with requests.Session() as client:
    print("allowed", client.get(f"{base}/repos/acme/site").status_code)
    print("denied", client.delete(f"{base}/repos/acme/site").status_code)
    print("held", client.post(f"{base}/repos/acme/site/issues", json={"title": "x"}).status_code)
