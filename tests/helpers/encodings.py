"""A secret as a server, a proxy, a library or a log may write it: the table for all tests that nothing shows one."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus


def encodings(secret: str) -> dict[str, str]:
    """Return forms of a secret, none of which holds it as it is.

    Args:
        secret: with a sign, or with other letters than ASCII's, so that each encoding has something to do.
    """
    return {**_escaped(secret), **_spread(secret), **_as_bytes(secret)}


def shown(text: str, secret: str) -> list[str]:
    """Return the names of the forms of a secret that a text shows: as they are, or as Python or JSON quote them."""
    forms = {"as it is": secret, **encodings(secret)}
    quoted = (str, lambda form: repr(form)[1:-1], lambda form: json.dumps(form)[1:-1])
    return [name for name, form in forms.items() if any(as_quoted(form) in text for as_quoted in quoted)]


def one_line(secret: str) -> dict[str, str]:
    """Return the forms that fit into a line of a head of HTTP, with the secret as it is among them."""
    forms = {"as it is": secret, **encodings(secret)}
    return {name: form for name, form in forms.items() if form.isascii() and form.isprintable()}


def _escaped(secret: str) -> dict[str, str]:
    signs = [char for char in secret if not (char.isascii() and char.isalnum())]

    def each(form: str) -> str:
        return "".join(form.format(char, ord(char)) if char in signs else char for char in secret)

    net = "".join(f"\\u{ord(char):04X}" if char in signs else char for char in secret)
    return {
        "JSON of PHP": json.dumps(json.dumps(secret).replace("/", "\\/"))[1:-1],
        "JSON of .NET": net,
        "JSON of .NET in lower case": net.lower().replace("\\U", "\\u"),
        "JSON twice": net.replace("\\", "\\\\"),
        "JavaScript": each("\\u{{{1:x}}}"),
        "bytes of Python": "".join(f"\\x{byte:02x}" for byte in secret.encode()),
        "HTML, decimal": each("&#{1};"),
        "HTML, hexadecimal": each("&#x{1:X};"),
        "HTML, hexadecimal in lower case, padded": each("&#x{1:06x};"),
        "HTML twice": html.escape(each("&#{1};")),
        "URL": quote(secret, safe=""),
        "URL in lower case": quote(secret, safe="").lower(),
        "URL twice": quote(quote(secret, safe=""), safe=""),
        "URL thrice": quote(quote(quote(secret, safe=""), safe=""), safe=""),
        "URL, all of it": "".join(f"%{byte:02X}" for byte in secret.encode()),
        "escape() of JavaScript": each("%u{1:04X}"),
        "form": quote_plus(secret) + "%20",
        "URL in JSON in HTML": html.escape(json.dumps(quote(secret, safe="").replace("%", "\\u0025"))),
        "quoted-printable": "".join(
            "".join(f"={byte:02X}" for byte in char.encode()) if char in signs else char for char in secret
        ),
        "CSS": each("\\{1:x} "),
        "XML name": each("_x{1:04X}_"),
    }


def _spread(secret: str) -> dict[str, str]:
    middle = len(secret) // 2
    first, second = secret[:middle], secret[middle:]
    return {
        "line break": f"{first}\n{second}",
        "folded header": f"{first}\r\n\t{second}",
        "escaped line break": f"{first}\\n{second}",
        "soft line break": f"{first}=\r\n{second}",
        "spaces": " ".join(secret),
        "zero-width spaces": "\u200b".join(secret),
        "soft hyphens": "\u00ad".join(secret),
        "bidi marks": f"{first}\u200e\u202a{second}",
        "NULs": "\0".join(secret),
        "tags": f"{first}<wbr>{second}",
        "full width": "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in secret) + "\u200b",
    }


def _as_bytes(secret: str) -> dict[str, str]:
    raw = secret.encode()
    forms = {
        "hexadecimal": raw.hex(),
        "hexadecimal in upper case": raw.hex().upper(),
        "hexadecimal with colons": raw.hex(":"),
        "a dump": " ".join(f"0x{byte:02X}" for byte in raw),
        "Buffer of Node": json.dumps({"type": "Buffer", "data": list(raw)}),
        "base64 twice": base64.b64encode(base64.b64encode(b"a" + raw)).decode(),
        "base64, wrapped": base64.encodebytes(b"x" * 50 + raw + b"y" * 60).decode(),
        "base64 in JSON of PHP": base64.b64encode(b"??>" + raw + b"??>").decode().replace("/", "\\/"),
        "base64 in a URL": quote(base64.b64encode(b"??>" + raw).decode(), safe=""),
        "base64 of UTF-16": base64.b64encode(secret.encode("utf-16-le")).decode() if secret.isascii() else raw.hex(),
        "base64 behind letters": "Basic" + base64.b64encode(b"app:" + raw).decode(),
    }
    for name, encode in (("base64", base64.b64encode), ("base64 for URLs", base64.urlsafe_b64encode)):
        for offset in range(3):
            forms[f"{name}, at {offset}"] = encode(b"k" * offset + raw).decode()
            forms[f"{name} of JSON, at {offset}"] = encode(b'{"k":"' + b"k" * offset + raw + b'"}').decode().rstrip("=")
    return forms
