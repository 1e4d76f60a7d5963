"""Microsoft Graph's OneDrive, as far as the protocol sheet describes it, with Microsoft's sign-in beside it.

One server plays all the hosts: ``/v1.0`` is Graph, ``/TENANT/oauth2/v2.0`` the sign-in, ``/upload`` and ``/download``
are the pre-authenticated addresses, which refuse an Authorization header. ``/control`` is for tests.
"""
