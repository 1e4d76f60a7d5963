"""The account at Ubuntu One, before anything of it is mounted."""

from __future__ import annotations

import logging

from cloudfs.auth.oauth1 import Credentials
from cloudfs.config import Remote
from cloudfs.errors import StoreError
from cloudfs.stores.ubuntuone.opening import ROOT_VOLUME, open_api

_log = logging.getLogger(__name__)


async def introduce(remote: Remote, credentials: Credentials, email: str) -> str:
    """Tell the file service of a new token, and return the name of its owner. `SignInRequired` if it is not taken."""

    async def load() -> Credentials:
        return credentials

    api = await open_api(remote, ROOT_VOLUME, load)
    try:
        try:
            await api.announce(email)
        except StoreError as error:
            # Only tokens of the older API of SSO need it, so what counts is whether this one is taken.
            _log.info("%s: the new token could not be announced: %s", remote.name, error)
        return await api.owner()
    finally:
        await api.aclose()
