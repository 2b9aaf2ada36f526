"""Certificates for tests of TLS, made by the command `openssl`: one good, and three that a client must refuse."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import frozen

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_HERE = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_ELSEWHERE = "subjectAltName=DNS:elsewhere.example"


@frozen
class Certificates:
    """PEM files. All but `ca` hold a key and its certificate, as a server wants them.

    Attributes:
        ca: the authority's certificate, for the client to trust.
        good: for localhost and 127.0.0.1, by `ca`.
        expired: the same, but it ended yesterday.
        wrong_host: by `ca`, for another name.
        self_signed: for localhost and 127.0.0.1, by nobody else.
    """

    ca: Path
    good: Path
    expired: Path
    wrong_host: Path
    self_signed: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them in `folder`, in a fraction of a second; skips the test on a machine without `openssl`."""
    if shutil.which("openssl") is None:
        pytest.skip("the command openssl is not installed")
    (folder / "ca.cnf").write_text(_CA_CONFIG)
    (folder / "index.txt").touch()
    _self_sign(folder, "ca", "Test authority", "keyUsage=critical,keyCertSign,cRLSign")
    _self_sign(folder, "self_signed", "localhost", _HERE)
    return Certificates(
        ca=folder / "ca.crt",
        good=_sign(folder, "good", _HERE, "20200101000000Z", "20991231000000Z"),
        expired=_sign(folder, "expired", _HERE, "20200101000000Z", "20200201000000Z"),
        wrong_host=_sign(folder, "wrong_host", _ELSEWHERE, "20200101000000Z", "20991231000000Z"),
        self_signed=_join(folder, "self_signed"),
    )


def _self_sign(folder: Path, name: str, subject: str, extension: str) -> None:
    _openssl(
        folder, "req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30",
        "-subj", f"/CN={subject}", "-addext", extension,
    )  # fmt: skip


def _sign(folder: Path, name: str, extension: str, start: str, end: str) -> Path:
    (folder / f"{name}.ext").write_text(f"{extension}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    _openssl(folder, "req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    # `openssl ca` alone sets both dates in every version.
    _openssl(
        folder, "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.crt",
        "-extfile", f"{name}.ext", "-startdate", start, "-enddate", end,
    )  # fmt: skip
    return _join(folder, name)


def _join(folder: Path, name: str) -> Path:
    pem = folder / f"{name}.pem"
    pem.write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    return pem


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


_CA_CONFIG = """
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
