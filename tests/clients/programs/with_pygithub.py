"""Three calls with PyGithub; prints the status of each."""

import os
import sys

import github

client = github.Github(
    base_url=sys.argv[1], auth=github.Auth.Token(os.environ["GITHUB_TOKEN"]), retry=None
)
repository = client.get_repo("acme/site")
print("allowed", 200 if repository.name == "site" else repository.name)
try:
    repository.delete()
except github.GithubException as error:
    print("denied", error.status)
print("held", 201 if repository.create_issue("x").number == 7 else "?")
client.close()
