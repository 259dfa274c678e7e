"""Three calls with openai; prints the status of each."""

import sys

import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", max_retries=0)
models = client.models.with_raw_response.list()
print("allowed", models.status_code)
try:
    client.files.delete("file-1")
except openai.APIStatusError as error:
    print("denied", error.status_code)
events = client.chat.completions.create(
    model="gpt-4o-mini",
    max_completion_tokens=16,
    stream=True,
    messages=[{"role": "user", "content": "hello"}],
)
text = "".join(event.choices[0].delta.content or "" for event in events)
print("held", 200 if text == "hi" else text)
