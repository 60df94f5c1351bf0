"""Reads a model's stream by the `anthropic` package: `model_anthropic.py HOST`."""

import sys
import time

import anthropic

client = anthropic.Anthropic(base_url=f"https://{sys.argv[1]}", api_key="none", max_retries=0)
try:
    began, times, words = time.monotonic(), [], []
    with client.messages.stream(model="stand-in", max_tokens=9, messages=[{"role": "user", "content": "count"}]) as stream:
        for text in stream.text_stream:
            times.append(time.monotonic() - began)
            words.append(text)
except anthropic.APIStatusError as refused:
    sys.exit(f"{refused.status_code}: {refused.response.text}")
assert "".join(words) == "0 1 2 3 4 ", words
assert times[-1] - times[0] > 0.4, f"they came at once: {times}"
print("a stream, word by word: seen")
