"""Certificates for tests, made by openssl: an authority, and servers and clients it vouches for."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


class Authority:
    """A certificate authority in a folder; `ca` is its PEM file."""

    def __init__(self, folder, name="test authority"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.ca, self.key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
        subject = ["-subj", f"/CN={name}", "-days", "2"]
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.ca, *subject)

    def issue(self, name, hosts="DNS:localhost,IP:127.0.0.1"):
        """(certificate, key) files of somebody at these hosts."""
        stem = os.path.join(self.folder, name)
        cert, key, request, extensions = (stem + end for end in (".pem", ".key", ".csr", ".ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={hosts}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert)
        return cert, key
