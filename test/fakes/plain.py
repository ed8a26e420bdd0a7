"""A place for files: PUT or POST of a .pb.gz to any path, as object stores and nginx's WebDAV take it."""

import re

from . import checks
from .checks import Ledger
from .http1 import Reply
from .server import Fake

NAME = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@%-]+\Z")


class PlainFake(Fake):
    name = "plain"

    def __init__(self, script=("ok",), *, methods=("PUT", "POST"), **options):
        self.methods, self.ledger, self.files = methods, Ledger(), {}
        super().__init__(script, **options)

    def good_reply(self, request):
        if request.method == "POST":
            return Reply(200)
        # A path that had something before is replaced: 204 (RFC 9110 section 9.3.4).
        before = any(other.path == request.path for other in self.accepted if other is not request)
        return Reply(204 if before else 201)

    def judge(self, request, findings):
        findings.need(request.method in self.methods, 405, f"method {request.method}")
        findings.need(request.header("content-encoding") is None, 415, "the file would be stored unpacked")
        self._check_path(request, findings)
        try:
            plain = checks.gunzip(request.body)
        except ValueError as error:
            findings.stop(400, f"not a .pb.gz: {error}")
        profile = checks.read_pprof(plain, findings, 400)
        request.content = {"path": request.path}
        request.uploads.append(checks.upload_of((request.path,), profile, request.body, {}))
        same = self.ledger.same_as_before(request.path, request.body)
        findings.need(same, 409, "another profile is there already: it would be overwritten")
        self.files.setdefault(request.path, request.body)

    @staticmethod
    def _check_path(request, findings):
        parts = request.path[1:].split("/")
        findings.need(all(NAME.match(part) for part in parts), 400, f"path {request.path!r} has an empty or odd part")
        findings.need(not any(part in (".", "..") for part in parts), 400, f"path {request.path!r} climbs")
        findings.need(not re.search("%2e|%2f|%00", request.path, re.IGNORECASE), 400, f"path {request.path!r} hides a separator")
        findings.need(re.search("%(?![0-9A-Fa-f]{2})", request.path) is None, 400, f"path {request.path!r}: a % without digits")
        template = re.search(r"[{}]|%7b(service|env|version|host|pid|time|number|run|runtime_id)%7d", request.target, re.IGNORECASE)
        findings.need(template is None, 400, f"path {request.target!r}: the template is not filled in")
