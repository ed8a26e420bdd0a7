"""Protobuf messages decoded by protoc, with the schemas of this folder: a second opinion on what an encoder wrote.

decode() runs `protoc --decode` and reads its text form. A field the schema does not know, and bytes that are not a message
of that kind, raise Undecodable.
"""

import ast
import os
import re
import subprocess

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")
# protoc prints what the schema does not know under its number.
UNKNOWN = re.compile(rb"^\s*([0-9]+)(:| \{)", re.MULTILINE)
PROTOC_TIMEOUT_S = 120


class Undecodable(Exception):
    """The bytes are not such a message, or say more than its schema."""


class Message:
    """A decoded message: values by field name, in the order they came; quoted values are bytes."""

    __slots__ = ("fields",)

    def __init__(self):
        self.fields = {}

    def add(self, name, value):
        self.fields.setdefault(name, []).append(value)

    def has(self, name):
        return name in self.fields

    def all(self, name):
        return self.fields.get(name, [])

    def one(self, name, default=None):
        values = self.fields.get(name)
        return values[-1] if values else default

    def number(self, name):
        return self.one(name, 0)

    def blob(self, name):
        return self.one(name, b"")

    def text(self, name):
        return self.blob(name).decode("utf-8")

    def key(self):
        """Equal for messages that say the same."""
        rows = []
        for name, values in self.fields.items():
            rows.append((name, tuple(value.key() if isinstance(value, Message) else value for value in values)))
        return tuple(sorted(rows, key=lambda row: row[0]))

    def plain(self):
        """Dictionaries and lists, for a record that people read."""
        out = {}
        for name, values in self.fields.items():
            rows = [row.plain() if isinstance(row, Message) else readable(row) for row in values]
            out[name] = rows[0] if len(rows) == 1 else rows
        return out


def readable(value):
    if not isinstance(value, bytes):
        return value
    if len(value) > 4096:
        return f"<{len(value)} bytes>"
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return "<" + value.hex() + ">"


def scalar(text):
    if text.startswith(b'"'):
        # What protoc escapes is a valid literal of bytes, too.
        return ast.literal_eval("b" + text.decode("ascii")) if b"\\" in text else text[1:-1]
    if text in (b"true", b"false"):
        return text == b"true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text.decode("ascii")


def parse(text):
    """protoc's text form as a Message."""
    root = Message()
    stack = [root]
    for line in text.split(b"\n"):
        line = line.strip()
        if line == b"}":
            stack.pop()
        elif line.endswith(b" {"):
            inner = Message()
            stack[-1].add(line[:-2].decode("ascii"), inner)
            stack.append(inner)
        elif line:
            name, _, value = line.partition(b": ")
            stack[-1].add(name.decode("ascii"), scalar(value))
    return root


def protoc_text(schema, message, data):
    command = ["protoc", "-I", SCHEMAS, f"--decode={message}", schema]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PROTOC_TIMEOUT_S, check=False)
    words = done.stderr.decode("utf-8", "replace").strip()
    # Text that is not UTF-8 is complained of, and yet printed.
    if done.returncode != 0 or "UTF-8" in words:
        raise Undecodable(f"not a {message}: {words or 'protoc refuses it'}")
    unknown = UNKNOWN.search(done.stdout)
    if unknown:
        raise Undecodable(f"{message}: field {unknown.group(1).decode()} is not of the format")
    return done.stdout


def decode(schema, message, data):
    """The message in data; Undecodable where protoc, or its reading of the schema, refuses it."""
    return parse(protoc_text(schema, message, data))
