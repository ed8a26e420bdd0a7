"""What a fake does with a request, as words: "503", "429 retry-after=2", "hang".

A step is one of

    ok                    what the real server says to a good request
    NUMBER                that status
    hang                  reads the request and never answers
    stall                 reads only the beginning of the body, and nothing more
    slow                  the good answer, byte by byte over `seconds` (1)
    reset, close          ends the connection, with a reset or politely, instead of an answer
    garbage               answers with what is no HTTP
    huge                  the good answer, with a body of `bytes` (64 MiB)
    redirect              307 to `location` (/elsewhere of the same server)

and any of these words after it:

    retry-after=VALUE     that header (underscores for blanks)
    retry-date=N          that header as a date N seconds from now
    words=TEXT            what the answer says of the reason (underscores for the blanks)
    html                  a proxy's page as the body
    junk                  a body that is none of the backend's
    partial=N             of OTLP: partial success, N profiles rejected
    early                 of any step: at the end of the headers, before the body is read
    half                  of reset and close: after half of the answer
    last                  with Connection: close, and closes
    bytes=N seconds=N location=URL headers=N   sizes; N bytes of headers

Each step is for one request, in order; the last one stays.
"""

KINDS = ("ok", "hang", "stall", "slow", "reset", "close", "garbage", "huge", "redirect")
FLAGS = ("html", "junk", "early", "half", "last")
VALUES = ("retry-after", "retry-date", "words", "partial", "bytes", "seconds", "location", "headers")


class Step:
    def __init__(self, text):
        words = str(text).split()
        if not words:
            raise ValueError("an empty step")
        self.text = " ".join(words)
        self.kind, self.status = words[0], None
        if self.kind.isdigit() and 100 <= int(self.kind) <= 599:
            self.kind, self.status = "status", int(words[0])
        elif self.kind not in KINDS:
            raise ValueError(f"step {self.kind!r} is none of a status, {', '.join(KINDS)}")
        self.flags, self.values = set(), {}
        for word in words[1:]:
            self._modify(word)

    def _modify(self, word):
        name, equals, value = word.partition("=")
        if equals and name in VALUES:
            self.values[name] = value
        elif not equals and name in FLAGS:
            self.flags.add(name)
        else:
            raise ValueError(f"step {self.text!r}: {word!r} is not known")

    def __contains__(self, flag):
        return flag in self.flags

    def get(self, name, default=None):
        return self.values.get(name, default)

    def words(self, name, default=""):
        return self.values.get(name, default).replace("_", " ")

    @property
    def accepts(self):
        """Whether the request counts as taken when this step comes to its end."""
        if self.kind == "status":
            return 200 <= self.status < 300
        return self.kind in ("ok", "slow", "huge")


class Script:
    """Steps for the requests to come. Used under the server's lock."""

    def __init__(self, steps):
        self.steps = parse_steps(steps)

    def next(self):
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


def parse_steps(steps):
    if isinstance(steps, str):
        steps = steps.split(",")
    parsed = [Step(step) for step in steps]
    if not parsed:
        raise ValueError("a script without steps")
    return parsed
