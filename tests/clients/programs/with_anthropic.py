"""Three calls with anthropic; prints the status of each."""

import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], max_retries=0)
models = client.models.with_raw_response.list()
print("allowed", models.status_code)
try:
    client.messages.batches.delete("msgbatch_1")
except anthropic.APIStatusError as error:
    print("denied", error.status_code)
message = client.messages.create(
    model="claude-sonnet", max_tokens=16, messages=[{"role": "user", "content": "hello"}]
)
print("held", 200 if message.id == "msg_1" else "?")
