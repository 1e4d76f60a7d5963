"""Settings of ``type = "ubuntuone"``."""

from __future__ import annotations

from cloudfs.settings.kinds import Kind, Setting, StoreType

UBUNTUONE = StoreType(
    name="ubuntuone",
    summary="Ubuntu One Files, or a server that speaks its REST protocol.",
    settings=(
        Setting(
            "oauth",
            "`TOKEN:SECRET`, as `u1sync --oauth` took it. Without it, `cloudfs login` gets a token from Ubuntu SSO.",
            Kind.SECRET,
        ),
        Setting(
            "consumer",
            "`KEY:SECRET` of the consumer that `oauth` was made for. Without it, that of the desktop client.",
            Kind.SECRET,
        ),
        Setting(
            "signature",
            "How requests are signed. `PLAINTEXT` tells the secrets to everybody on the way, and is refused without "
            "https.",
            default="HMAC-SHA1",
            choices=("HMAC-SHA1", "PLAINTEXT"),
        ),
        Setting("connections", "Requests in flight at once, for the whole account.", Kind.NUMBER, default=8),
        Setting("api_url", "Where `/api/file_storage/v1` is.", Kind.URL, default="https://one.ubuntu.com"),
        Setting("content_url", "Where `/content/` is.", Kind.URL, default="https://files.one.ubuntu.com"),
        Setting("sso_url", "Where Ubuntu SSO is.", Kind.URL, default="https://login.ubuntu.com"),
    ),
    sign_in=True,
    instead="oauth",
)
