"""Email: the title is the subject, the body is the HTML or text of the mail."""

from __future__ import annotations

from collections.abc import Mapping

from ..models import Caution, JsonValue
from .adapter import Adapter
from .links import check_html_links

CLIPPED_BYTES = 102 * 1024
"""Gmail hides the rest, including the unsubscribe link, behind "View entire message"."""


def _limits(fields: Mapping[str, JsonValue]) -> tuple[Caution, ...]:
    body = str(fields["body"])
    check_html_links("body", body)
    cautions = []
    size = len(body.encode())
    if size > CLIPPED_BYTES:
        cautions.append(Caution("email_clipped", f"The body is {size // 1024:,} KB; Gmail cuts it off at 102 KB."))
    if not str(fields.get("title", "")).strip():
        cautions.append(Caution("email_without_subject", "The mail has no subject; many filters treat this as spam."))
    return tuple(cautions)


ADAPTER = Adapter("EMAIL", limits=_limits, formats=("html", "txt"), subject_is_title=True)
