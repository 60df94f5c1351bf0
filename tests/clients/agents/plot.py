"""What is said: a person asks, the model has the shell work it out, and says what the shell said. Asked again, it remembers.

A `Conversation` is what a dialect reads out of a request; a `Turn` is what a dialect writes as the answer. Nothing here knows of
HTTP, and nothing is remembered between requests: an agent sends the whole conversation, or it fails."""

import random
import re
from dataclasses import dataclass, field

FIRST = "Have the shell multiply the two numbers."
AGAIN = "What did the shell say before?"


class Fault(Exception):
    """The agent, or what is between, did not do what it must."""


@dataclass
class Conversation:
    """What the person, the model and the tools said, oldest first, as pairs of who and what."""

    said: list = field(default_factory=list)
    has_tools: bool = False

    def texts(self, who):
        return [text for speaker, text in self.said if speaker == who]

    def last(self):
        """Who spoke last, for as long as it was in one go, and all of it."""
        who, texts = None, []
        for speaker, text in reversed(self.said):
            if who not in (None, speaker):
                break
            who = speaker
            texts.insert(0, text)
        return who, "\n".join(texts)


@dataclass
class Turn:
    """What the model does: a command for the shell, or an answer."""

    text: str
    command: str = None


class Plot:
    def __init__(self):
        self.numbers = random.randrange(1000, 9999), random.randrange(1000, 9999)

    def command(self):
        first, second = self.numbers
        return f'echo "$(({first} * {second})) by $OUTWALL_SANDBOX"'

    def turn(self, conversation):
        """The next turn of a conversation. Raises `Fault` when what must be in it is not."""
        if not conversation.has_tools:
            return Turn("A multiplication")  # a title, a summary, a probe
        who, text = conversation.last()
        if who == "tool":
            return Turn(self.answer(text))
        if AGAIN in text:
            return Turn(f"Before, this was said: {self.remembered(conversation)}")
        if FIRST in text:
            return Turn("I ask the shell.", self.command())
        raise Fault(f"nobody knows what to say to {text[-300:]!r}")

    def answer(self, result):
        first, second = self.numbers
        found = re.search(rf"\b{first * second} by (s-[0-9a-f]{{8}})\b", result)
        if not found:
            raise Fault(f"the tool's result does not say {first * second}, but {result[:300]!r}")
        return f"The shell of {found[1]} says {first * second}."

    def remembered(self, conversation):
        """What was answered before, when the whole of it came along."""
        if not any(FIRST in text for text in conversation.texts("person")):
            raise Fault("what was asked first did not come along")
        results = conversation.texts("tool")
        if not results:
            raise Fault("the tool's result did not come along")
        answer = self.answer(results[0])
        if not any(answer in text for text in conversation.texts("model")):
            raise Fault("what was answered first did not come along")
        return answer
