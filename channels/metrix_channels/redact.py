"""Secrets that print as `***`, and a redactor that finds them in text in every encoding in use."""

from __future__ import annotations

import base64
import json
import re
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"

_TELLING: Final = 3
"""So many characters of a secret are worth hiding at the end of a text that was cut off."""


class Secret:
    """Text that never shows itself: not in repr, str, formatting, pickles or copies of its owner."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one header that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled")


class Redactor:
    """Replaces secrets in text, in each form that an HTTP client, a shell or a log could give them."""

    def __init__(self, *secrets: Secret) -> None:
        forms = {form for secret in secrets if secret.reveal() for form in _forms(secret.reveal())}
        longest_first = sorted(forms, key=len, reverse=True)
        self._folded = [form.lower() for form in longest_first]
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def clean(self, text: str) -> str:
        """Return `text` with every secret replaced by `***`."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def clean_cut(self, text: str) -> str:
        """The same for a text that was cut off: what may be the beginning of a secret goes from its end, too."""
        text = self.clean(text)
        for form in self._folded:
            for length in range(min(len(form) - 1, len(text)), _TELLING - 1, -1):
                if text[-length:].lower() == form[:length]:
                    return text[:-length] + MASK
        return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), escape(secret)}
    forms |= {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            forms.add(_inner_base64(encode(b"\0" * offset + raw).decode(), offset, len(raw)))
    # A short form of a short secret would match everywhere.
    return {form for form in forms if len(form) >= 6} | {secret}


def _inner_base64(encoded: str, offset: int, length: int) -> str:
    """Cut away the characters that mix bits of the secret with those of its neighbours."""
    first = -(-offset * 8 // 6)
    last = (offset + length) * 8 // 6
    return encoded[first:last]
