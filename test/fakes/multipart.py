"""multipart/form-data (RFC 7578) taken apart strictly: no preamble, no epilogue, CRLF everywhere."""

import re
from dataclasses import dataclass

BOUNDARY = re.compile(r"multipart/form-data; ?boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1\Z")
DISPOSITION = re.compile(r'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?\Z')


@dataclass
class Part:
    name: str
    filename: str  # None: it has none
    content_type: str  # None
    body: bytes


def boundary_of(content_type):
    """The boundary, or None where the content type is no form."""
    match = BOUNDARY.match(content_type or "")
    return match.group(2).encode("ascii") if match else None


def parse(body, boundary):
    """The parts in order; ValueError says what is not well-formed."""
    mark = b"--" + boundary
    if not body.startswith(mark + b"\r\n"):
        raise ValueError("multipart: it does not begin with the boundary")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if pieces[-1] not in (b"--\r\n", b"--"):
        raise ValueError("multipart: it does not end with the closing boundary")
    return [parse_part(piece) for piece in pieces[1:-1]]


def parse_part(piece):
    if not piece.startswith(b"\r\n"):
        raise ValueError("multipart: bytes follow a boundary")
    head, blank, body = piece[2:].partition(b"\r\n\r\n")
    if not blank:
        raise ValueError("multipart: a part without the end of its headers")
    headers = {}
    for line in head.decode("utf-8").split("\r\n"):
        name, colon, value = line.partition(": ")
        if not colon or name.lower() in headers:
            raise ValueError(f"multipart: header {line!r}")
        headers[name.lower()] = value
    match = DISPOSITION.match(headers.pop("content-disposition", ""))
    if match is None:
        raise ValueError("multipart: Content-Disposition is not that of a form")
    content_type = headers.pop("content-type", None)
    if headers:
        raise ValueError(f"multipart: headers {sorted(headers)} in a part")
    return Part(match.group(1), match.group(2), content_type, body)
