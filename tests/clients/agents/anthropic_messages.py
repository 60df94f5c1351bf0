"""Anthropic's Messages API: https://docs.claude.com/en/api/messages-streaming"""

import json

from plot import Conversation, Fault

USAGE = {"input_tokens": 25, "output_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def read(body):
    conversation = Conversation(has_tools=bool(body.get("tools")))
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if block["type"] == "tool_result":
                conversation.said.append(("tool", text_of(block["content"])))
            elif block["type"] == "text" and message["role"] != "system":
                conversation.said.append(({"user": "person", "assistant": "model"}[message["role"]], block["text"]))
    return without_reminders(conversation)


def without_reminders(conversation):
    """Claude Code puts reminders of its own beside what a person or a tool said."""
    conversation.said = [(who, text) for who, text in conversation.said if not text.startswith("<system-reminder>")]
    return conversation


def text_of(content):
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def shell(body):
    """The name of the tool that runs commands."""
    for tool in body["tools"]:
        if tool["name"].lower() == "bash":
            return tool["name"]
    raise Fault("the agent offers no shell")


def blocks(turn, body):
    blocks = [{"type": "text", "text": turn.text}]
    if turn.command:
        arguments = {"command": turn.command, "description": "Multiplies"}
        blocks.append({"type": "tool_use", "id": "toolu_01Multiply", "name": shell(body), "input": arguments})
    return blocks


def message(body, content, stop_reason):
    return {"id": "msg_01Standin", "type": "message", "role": "assistant", "model": body["model"], "content": content,
            "stop_reason": stop_reason, "stop_sequence": None, "usage": USAGE}


def whole(turn, body):
    return message(body, blocks(turn, body), "tool_use" if turn.command else "end_turn")


def stream(turn, body):
    """The events of a stream, as the pieces that are sent one by one."""
    yield event("message_start", message=message(body, [], None))
    yield event("ping")
    for index, block in enumerate(blocks(turn, body)):
        yield from block_events(index, block)
    stop = {"stop_reason": "tool_use" if turn.command else "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=stop, usage=USAGE)
    yield event("message_stop")


def block_events(index, block):
    is_text = block["type"] == "text"
    empty = {**block, "text": ""} if is_text else {**block, "input": {}}
    yield event("content_block_start", index=index, content_block=empty)
    whole = block["text"] if is_text else json.dumps(block["input"])
    for start in range(0, len(whole), 9):
        piece = whole[start : start + 9]
        delta = {"type": "text_delta", "text": piece} if is_text else {"type": "input_json_delta", "partial_json": piece}
        yield event("content_block_delta", index=index, delta=delta)
    yield event("content_block_stop", index=index)


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def failure(status, words):
    kind = {401: "authentication_error", 404: "not_found_error"}.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_01Standin"}
