"""Settings of ``type = "hubic"``."""

from __future__ import annotations

from cloudfs.settings.kinds import Kind, Setting, StoreType

HUBIC = StoreType(
    name="hubic",
    summary="hubiC, or whoever hands out Swift tokens by OAuth2 as hubiC did.",
    settings=(
        Setting(
            "client_id", "Of the application registered with the provider, for hubiC `api_hubic_...`.", required=True
        ),
        Setting("client_secret", "Of the application.", Kind.SECRET, required=True),
        Setting(
            "redirect_url",
            "Exactly as registered with the application. Nothing needs to listen there.",
            Kind.URL,
            default="http://localhost:53682/",
        ),
        Setting(
            "api_url",
            "Where `/oauth/auth/`, `/oauth/token/` and `/1.0/account/` are.",
            Kind.URL,
            default="https://api.hubic.com",
        ),
        Setting("segment_size", "Larger files are stored in segments of this size.", Kind.SIZE, default=64 << 20),
        Setting("connections", "Requests in flight at once, for the whole account.", Kind.NUMBER, default=16),
        Setting(
            "scope",
            "What to ask the account's owner for.",
            default="usage.r,account.r,credentials.r",
        ),
        Setting("serve_password", "What `cloudfs serve swift-auth` wants to be told by who asks.", Kind.SECRET),
    ),
    sign_in=True,
)
