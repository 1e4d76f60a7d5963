"""Microsoft's sign-in (v2.0 endpoints) for the settings of a remote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cloudfs.auth.oauth2 import Application
from cloudfs.auth.secrets import find_secret
from cloudfs.config import Remote


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where Microsoft's services are for one group of customers."""

    login: str
    graph: str


CLOUDS: Mapping[str, Cloud] = {
    "global": Cloud("https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"),
    "us": Cloud("https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"),
    "us-dod": Cloud("https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0"),
    "china": Cloud("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"),
    "germany": Cloud("https://login.microsoftonline.de", "https://graph.microsoft.de/v1.0"),
}


def graph_url(remote: Remote) -> str:
    return remote.text("graph_url") or CLOUDS[remote.text("cloud")].graph


def application(remote: Remote) -> Application:
    """May block for a command that tells the secret. Raises `UsageError`."""
    login = (remote.text("login_url") or CLOUDS[remote.text("cloud")].login).rstrip("/")
    base = f"{login}/{quote(remote.text('tenant'), safe='')}/oauth2/v2.0"
    secret = find_secret(remote, "client_secret")
    return Application(
        client_id=remote.text("client_id"),
        token_url=f"{base}/token",
        authorize_url=f"{base}/authorize",
        device_url=f"{base}/devicecode",
        redirect_url=remote.text("redirect_url"),
        scope=remote.text("scope"),
        secret=secret.reveal() if secret else "",
    )


def prefers_device_code(remote: Remote) -> bool:
    """Personal accounts cannot use it, and of ``common`` nobody knows who will sign in."""
    return remote.text("tenant") not in ("consumers", "common")
