#!/usr/bin/env python3
"""Runs one fake server by hand, telling of each request.

    serve.py datadog --port 8126 --script 503,503,ok --record /tmp/seen
    serve.py pyroscope --unix /tmp/s.sock
    serve.py plain --tls cert.pem key.pem

Steps of --script are in steps.py ("429 retry-after=2", "hang", "reset"); the last one stays. Ends with Ctrl-C; the exit
status is 1 when anything broke a rule.
"""

import argparse
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import FAKES  # noqa: E402
from fakes.steps import parse_steps  # noqa: E402

PORTS = {"datadog": 8126, "pyroscope": 4040, "parca": 7070, "otlp": 4318, "plain": 8080}


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="A strict fake server that says what is wrong with what it gets.")
    parser.add_argument("kind", choices=sorted(FAKES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="0: any that is free; without it the backend's own")
    parser.add_argument("--unix", metavar="PATH", help="listen on a unix socket")
    parser.add_argument("--script", default="ok", help="steps with commas between them")
    parser.add_argument("--record", metavar="DIR", help="write every request there")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--client-ca", metavar="FILE", help="only clients with a certificate of it")
    parser.add_argument("--require", action="append", default=[], metavar="'NAME: VALUE'", help="a header all must have")
    parser.add_argument("--requests", type=int, metavar="N", help="end after so many requests")
    options = parser.parse_args(arguments)
    try:
        parse_steps(options.script)
    except ValueError as error:
        parser.error(str(error))
    return options


def tell(request):
    print(f"#{request.number} {request.method} {request.target} {len(request.body)} bytes: {request.verdict} ({request.step})")
    for upload in request.uploads:
        print(f"   {upload.identity} {upload.samples} samples {upload.totals} {upload.tags}")
    for text in request.violations:
        print(f"   VIOLATION: {text}")
    sys.stdout.flush()


def main(arguments):
    options = parse_arguments(arguments)
    server = FAKES[options.kind](
        options.script,
        host=options.host,
        port=PORTS[options.kind] if options.port is None else options.port,
        unix=options.unix,
        tls=options.tls,
        client_ca=options.client_ca,
        require=dict(line.split(": ", 1) for line in options.require),
        record=options.record,
    )
    with server:
        print(f"{options.kind} at {server.url}", flush=True)
        told = 0
        try:
            while options.requests is None or told < options.requests:
                for request in server.wait_for(told + 1, timeout=threading.TIMEOUT_MAX, what="done")[told:]:
                    tell(request)
                    told += 1
        except KeyboardInterrupt:
            pass
    print(server.summary())
    return 1 if server.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
