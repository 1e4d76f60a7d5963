"""Whom we trust. Certificates are always verified, unless a person says otherwise and is told what that means."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from cloudfs.errors import UsageError

_log = logging.getLogger(__name__)


def tls_context(ca_file: Path | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """Trusts the machine's authorities, or those in ``ca_file`` (PEM) instead. Raises `UsageError`."""
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except FileNotFoundError:
        raise UsageError(f"there is no file {ca_file} with certificates (ca_file)") from None
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot use the certificates in {ca_file} (ca_file): {error.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        _log.warning(
            "TLS CERTIFICATES ARE NOT VERIFIED (tls_verify = false): "
            "whoever is between this machine and the server can read and change everything, the password too"
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
