"""What a request shows as credentials. The real key, in its one place, and nothing else that looks like one."""

import re

from plot import Fault

# Headers that carry credentials at some service; none but the expected one may be there.
CARRIERS = {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-auth-token",
            "private-token", "x-amz-security-token", "chatgpt-account-id"}
LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|AKIA\w{16}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)")


class Expected:
    """The key of a host, and the header that it belongs in."""

    def __init__(self, key, header, scheme=None):
        self.key, self.header = key, header
        self.value = f"{scheme} {key}" if scheme else key

    def is_shown(self, request):
        """Whether the key is where it belongs; nothing may be anywhere else. Raises `Fault`."""
        shown = [value for name, value in request.headers if name == self.header]
        if shown not in ([], [self.value]):
            raise Fault(f"another credential than the real one in `{self.header}`: {shown}")
        for name, value in request.headers:
            if name in CARRIERS - {self.header}:
                raise Fault(f"a credential in `{name}`: {value}")
            if name != self.header:
                self.check(f"`{name}`", value)
        self.check("the target", request.target)
        self.check("the body", request.body)
        return bool(shown)

    def check(self, where, text):
        if self.key in text:
            raise Fault(f"the real key is in {where}, too")
        if found := LOOKS_LIKE_A_KEY.search(text):
            raise Fault(f"what looks like a key is in {where}: {found[0]}")
