"""Three calls with slack_sdk; prints the status of each."""

import os
import sys

import slack_sdk
from slack_sdk.errors import SlackApiError

client = slack_sdk.WebClient(os.environ["SLACK_BOT_TOKEN"], base_url=f"{sys.argv[1]}/api/")
print("allowed", client.conversations_list(limit=1).status_code)
try:
    client.conversations_archive(channel="C0LD")
except SlackApiError as error:
    print("denied", error.response.status_code)
print("held", client.chat_postMessage(channel="C0FFEE", text="Deployed.").status_code)
