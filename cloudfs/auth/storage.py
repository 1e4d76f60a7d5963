"""How a Swift store gets in: the address of the account, and the token that opens it.

TempAuth, Keystone and hubiC give both, each in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Access:
    """``url`` is that of the account, without a slash at the end; ``token`` goes into ``X-Auth-Token``.

    They belong together: a later token may be for another address.
    """

    url: str
    token: str = field(repr=False)


class StorageAuth(Protocol):
    """One account of one remote; asked before every request, concurrently."""

    async def access(self, refused: str = "") -> Access:
        """The way in; other than by the token ``refused``, which the storage did not accept.

        Raises `SignInRequired` if a person has to do something, `Unavailable` if the provider does not answer.
        """
        ...
