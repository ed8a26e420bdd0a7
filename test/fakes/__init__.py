"""Strict fake servers for every way a profile leaves Ringside, for tests and for trying by hand.

    from fakes import DatadogFake
    with DatadogFake(script=["503", "429 retry-after=2", "ok"]) as server:
        ...                          # send to server.url
        server.wait_for(3)           # requests that arrived
        server.violations            # [] unless something a real server refuses was sent
        server.identities(), server.totals()

server.py says what a fake records and can be told; steps.py what can be scripted; one file a backend has its rules,
which are those of the "Strict fake-server checklist" of its wire format and of the real server's own refusals.
"""

from .datadog import DatadogFake
from .otlp import OtlpFake
from .parca import ParcaFake
from .plain import PlainFake
from .pyroscope import PyroscopeFake

FAKES = {
    "datadog": DatadogFake,
    "pyroscope": PyroscopeFake,
    "parca": ParcaFake,
    "otlp": OtlpFake,
    "plain": PlainFake,
}
