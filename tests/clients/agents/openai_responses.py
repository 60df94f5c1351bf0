"""OpenAI's Responses API, as a stream of events over HTTP or as messages of a WebSocket:
https://platform.openai.com/docs/api-reference/responses-streaming"""

import json
from itertools import count

from plot import Conversation, Fault

numbers = count(1)


def read(body):
    conversation = Conversation(has_tools=any(tools(body)))
    for item in items(body):
        kind = item.get("type", "message")
        if kind in ("function_call_output", "custom_tool_call_output"):
            conversation.said.append(("tool", text_of(item["output"])))
        elif kind == "message" and item["role"] in ("user", "assistant"):
            who = {"user": "person", "assistant": "model"}[item["role"]]
            conversation.said.append((who, text_of(item["content"])))
    return without_surroundings(conversation)


def without_surroundings(conversation):
    """Codex says in a person's name where it is and what day, and says it again when the day has changed."""
    conversation.said = [(who, text) for who, text in conversation.said if not text.startswith("<environment_context>")]
    return conversation


def items(body):
    asked = body.get("input") or []
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else asked


def text_of(content):
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def tools(body):
    """All tools: of the request, of items that bring more along, and those within namespaces."""
    offered = list(body.get("tools") or [])
    for item in items(body):
        if item.get("type") == "additional_tools":
            offered += item["tools"]
    for tool in offered:
        if tool["type"] == "namespace":
            yield from tool["tools"]
        else:
            yield tool


def call(body, command):
    """The item that calls the tool which runs commands, in the way that the agent offers it."""
    offered = {tool.get("name"): tool for tool in tools(body)}
    fields = {"id": f"call_item_{next(numbers)}", "status": "completed", "call_id": f"call_{next(numbers)}"}
    for name in ("bash", "exec_command", "shell_command", "shell"):
        if name in offered:
            parameters = offered[name]["parameters"]["properties"]
            key = "cmd" if "cmd" in parameters else "command"
            value = ["sh", "-c", command] if parameters[key].get("type") == "array" else command
            return {"type": "function_call", **fields, "name": name, "arguments": json.dumps({key: value})}
    if offered.get("exec", {}).get("type") == "custom":
        program = f"const ran = await tools.exec_command({{cmd: {json.dumps(command)}}});\ntext(ran.output);\n"
        return {"type": "custom_tool_call", **fields, "name": "exec", "input": program}
    raise Fault(f"the agent offers no shell, but {sorted(map(str, offered))}")


def message(text):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": f"msg_{next(numbers)}", "status": "completed", "role": "assistant", "content": content}


def output(turn, body):
    return [message(turn.text)] + ([call(body, turn.command)] if turn.command else [])


def response(body, identity, status, output):
    usage = {"input_tokens": 25, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 12,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 37}
    return {"id": identity, "object": "response", "created_at": 1760000000, "status": status, "model": body["model"],
            "output": output, "error": None, "incomplete_details": None, "usage": usage if status == "completed" else None}


def events(identity, output, body):
    """The events of an answer, numbered, without the names that HTTP's stream gives them."""
    sequence = count()
    for kind, fields in unnumbered(identity, output, body):
        yield {"type": kind, "sequence_number": next(sequence), **fields}


def unnumbered(identity, output, body):
    for kind in ("response.created", "response.in_progress"):
        yield kind, {"response": response(body, identity, "in_progress", [])}
    for index, item in enumerate(output):
        yield from item_events(index, item)
    yield "response.completed", {"response": response(body, identity, "completed", output)}


def item_events(index, item):
    place = {"item_id": item["id"], "output_index": index}
    empty, added, delta, done, whole = shape(item)
    yield "response.output_item.added", {"output_index": index, "item": {**item, **empty, "status": "in_progress"}}
    if added:
        yield added, {**place, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}}
    for start in range(0, len(whole), 9):
        yield delta, {**place, "content_index": 0, "delta": whole[start : start + 9]}
    yield done[0], {**place, "content_index": 0, done[1]: whole}
    if added:
        yield "response.content_part.done", {**place, "content_index": 0, "part": item["content"][0]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def shape(item):
    """Of an item: its empty beginning, the event of a part if it has parts, those of its pieces and its end, and its text."""
    if item["type"] == "message":
        return ({"content": []}, "response.content_part.added", "response.output_text.delta",
                ("response.output_text.done", "text"), item["content"][0]["text"])
    if item["type"] == "function_call":
        kind = "response.function_call_arguments"
        return {"arguments": ""}, None, f"{kind}.delta", (f"{kind}.done", "arguments"), item["arguments"]
    kind = "response.custom_tool_call_input"
    return {"input": ""}, None, f"{kind}.delta", (f"{kind}.done", "input"), item["input"]


def failure(status, words):
    kind = "invalid_request_error"
    return {"error": {"message": words, "type": kind, "param": None, "code": "invalid_api_key" if status == 401 else None}}


class Socket:
    """A WebSocket of the Responses API: a request may go on where an earlier one of the same socket ended."""

    def __init__(self):
        self.before = {}

    def whole(self, body):
        """The request with all that went before."""
        earlier = body.pop("previous_response_id", None)
        if earlier is not None:
            if earlier not in self.before:
                raise Fault(f"no earlier answer `{earlier}`")
            body["input"] = self.before[earlier] + items(body)
        return body

    def answered(self, identity, body, output):
        self.before[identity] = items(body) + output
