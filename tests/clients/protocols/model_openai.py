"""Reads a model's stream over h2 by the `openai` package: `model_openai.py HOST`."""

import sys
import time

import openai

client = openai.OpenAI(base_url=f"https://{sys.argv[1]}/v1", api_key="none", max_retries=0, http_client=openai.DefaultHttpx2Client(http2=True))
try:
    began, times, words = time.monotonic(), [], []
    asked = [{"role": "user", "content": "count"}]
    for chunk in client.chat.completions.create(model="stand-in", messages=asked, stream=True):
        times.append(time.monotonic() - began)
        words.append(chunk.choices[0].delta.content)
except openai.APIStatusError as refused:
    sys.exit(f"{refused.status_code}: {refused.response.text}")
assert "".join(words) == "0 1 2 3 4 ", words
assert times[-1] - times[0] > 0.4, f"they came at once: {times}"
print("a stream, word by word: seen")
