"""The QR code of a session's page, as SVG without any style or script inside."""

import io
import uuid

import segno

from payments.receipts.tokens import page_url


def svg(session_id: uuid.UUID) -> bytes:
    """Return the QR code that opens a session's page; black on white with its quiet zone, for any background."""
    code = segno.make(page_url(session_id), error="m", micro=False)
    out = io.BytesIO()
    code.save(out, kind="svg", scale=8, border=4, dark="#000", light="#fff", xmldecl=True, svgclass=None,
              lineclass=None, omitsize=False, title="QR")  # fmt: skip
    return out.getvalue()
