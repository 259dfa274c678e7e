"""Three calls with urllib3, whose proxy and trust are told by hand; prints the status of each."""

import os
import sys

import urllib3
from urllib3.util import parse_url

base = sys.argv[1]
proxy = os.environ["HTTPS_PROXY"]
client = urllib3.ProxyManager(
    proxy,
    proxy_headers=urllib3.make_headers(proxy_basic_auth=parse_url(proxy).auth),
    ca_certs=os.environ["SSL_CERT_FILE"],
)
print("allowed", client.request("GET", f"{base}/repos/acme/site").status)
print("denied", client.request("DELETE", f"{base}/repos/acme/site").status)
issue = client.request("POST", f"{base}/repos/acme/site/issues", json={"title": "x"})
print("held", issue.status)
client.clear()
