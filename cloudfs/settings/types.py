"""Every type of remote there is. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfs.settings.hubic import HUBIC
from cloudfs.settings.kinds import StoreType
from cloudfs.settings.local import LOCAL
from cloudfs.settings.onedrive import ONEDRIVE
from cloudfs.settings.swift import SWIFT
from cloudfs.settings.ubuntuone import UBUNTUONE

STORE_TYPES: Mapping[str, StoreType] = {kind.name: kind for kind in (LOCAL, ONEDRIVE, HUBIC, SWIFT, UBUNTUONE)}
