"""Settings of ``type = "onedrive"``."""

from __future__ import annotations

from cloudfs.settings.kinds import Kind, Setting, StoreType

FRAGMENT = 10 << 20
"""Bytes, if not said otherwise."""

ONEDRIVE = StoreType(
    name="onedrive",
    summary="OneDrive, personal or for business, or a library of SharePoint.",
    settings=(
        Setting(
            "client_id",
            "Of an application registered with Microsoft, such as your own: docs/how-to/onedrive.md tells how.",
            required=True,
        ),
        Setting(
            "client_secret", "Of the application, if it is confidential. A public one must not have any.", Kind.SECRET
        ),
        Setting(
            "tenant",
            "Who may sign in: `consumers` (personal accounts), `organizations` (work and school), `common` (both), or "
            "one tenant by id or domain.",
            default="common",
        ),
        Setting(
            "cloud",
            "Which of Microsoft's clouds the account is in.",
            default="global",
            choices=("global", "us", "us-dod", "china", "germany"),
        ),
        Setting(
            "drive",
            "The drive by its id. Without it the one chosen with `cloudfs login --drive`, else the account's own.",
        ),
        Setting(
            "redirect_url",
            "Where the browser ends after signing in, exactly as registered with the application. Nothing needs to "
            "listen there.",
            Kind.URL,
            default="https://login.microsoftonline.com/common/oauth2/nativeclient",
        ),
        Setting("scope", "What to ask the account for.", default="Files.ReadWrite.All offline_access"),
        Setting(
            "fragment",
            "How much of a large file goes into one request; in steps of 320 KiB.",
            Kind.SIZE,
            default=FRAGMENT,
        ),
        Setting("connections", "How many requests may be under way at a time.", Kind.NUMBER, default=16),
        Setting("keyring", "Keep the sign-in in the keyring, and not in a file.", Kind.SWITCH, default=False),
        Setting("login_url", "Where to sign in, if not at the cloud's own address.", Kind.URL),
        Setting("graph_url", "Where Microsoft Graph is, if not at the cloud's own address.", Kind.URL),
    ),
    sign_in=True,
)
