"""Settings of ``type = "swift"``. The names of the OpenStack tools (``OS_*``, ``ST_*``, clouds.yaml) are known too.

The aliases are the keys of ``clouds.yaml``, so that what is in one can be copied.
"""

from __future__ import annotations

from cloudfs.settings.kinds import Kind, Setting, StoreType

SEGMENT_SIZE = 64 << 20
"""Bytes, if not said otherwise."""

SWIFT = StoreType(
    name="swift",
    summary="A container of an OpenStack Swift account (or of something that speaks its protocol).",
    settings=(
        Setting(
            "auth_url",
            "Where to sign in. An address that ends in `/v3` (or has no version) is Keystone's, `/v2.0` too; with "
            "`/v1` or `/v1.0` it is TempAuth's.",
            Kind.URL,
            required=True,
            environment=("OS_AUTH_URL", "ST_AUTH"),
        ),
        Setting(
            "user",
            "Who signs in; for TempAuth that is `account:user`.",
            environment=("OS_USERNAME", "ST_USER"),
            aliases=("username",),
            usual=True,
        ),
        Setting(
            "key",
            "The key or password.",
            Kind.SECRET,
            environment=("OS_PASSWORD", "ST_KEY", "OS_APPLICATION_CREDENTIAL_SECRET"),
            aliases=("password", "application_credential_secret"),
            usual=True,
        ),
        Setting("user_id", "Keystone v3: the user by id, without a domain.", environment=("OS_USER_ID",)),
        Setting(
            "user_domain",
            "Keystone v3: the user's domain, by name or id.",
            environment=("OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID"),
            aliases=("user_domain_name", "user_domain_id"),
        ),
        Setting(
            "project",
            "Keystone: the project (tenant).",
            environment=("OS_PROJECT_NAME", "OS_TENANT_NAME"),
            aliases=("project_name", "tenant_name"),
            usual=True,
        ),
        Setting(
            "project_id",
            "Keystone: the project by id.",
            environment=("OS_PROJECT_ID", "OS_TENANT_ID"),
            aliases=("tenant_id",),
        ),
        Setting(
            "project_domain",
            "Keystone v3: the project's domain, by name or id.",
            environment=("OS_PROJECT_DOMAIN_NAME", "OS_PROJECT_DOMAIN_ID"),
            aliases=("project_domain_name", "project_domain_id"),
        ),
        Setting(
            "domain",
            "Keystone v3: the domain of both. Without any it is `Default`.",
            environment=("OS_DOMAIN_NAME", "OS_DEFAULT_DOMAIN"),
            aliases=("domain_name", "default_domain"),
        ),
        Setting(
            "application_credential_id",
            "Keystone v3: sign in with an application credential; then `key` is its secret.",
            environment=("OS_APPLICATION_CREDENTIAL_ID",),
        ),
        Setting(
            "application_credential_name",
            "The same by name, together with `user` or `user_id`.",
            environment=("OS_APPLICATION_CREDENTIAL_NAME",),
        ),
        Setting("region", "Keystone: which of the regions.", environment=("OS_REGION_NAME",), aliases=("region_name",)),
        Setting(
            "interface",
            "Keystone: which of the endpoints.",
            default="public",
            choices=("public", "internal", "admin"),
            environment=("OS_INTERFACE",),
        ),
        Setting(
            "storage_url",
            "The address of the account, where the one that signing in gives is not right.",
            Kind.URL,
            environment=("OS_STORAGE_URL",),
        ),
        Setting(
            "segment_size",
            "Larger files are stored in segments of this size.",
            Kind.SIZE,
            default=SEGMENT_SIZE,
        ),
        Setting("connections", "Requests in flight at once, for the whole account.", Kind.NUMBER, default=32),
        Setting(
            "ca_file",
            "Certificates (PEM) to trust instead of the machine's.",
            environment=("OS_CACERT",),
            aliases=("cacert",),
        ),
        Setting("tls_verify", "`false` trusts any server, and says so loudly.", Kind.SWITCH, default=True),
    ),
)
