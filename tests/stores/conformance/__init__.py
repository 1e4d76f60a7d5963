"""Every promise of ``cloudfs/stores/base.py`` as a test, run against every store named in ``tests/stores/conftest.py``.

A test asks for a `bench` and knows nothing of the store on it but its capabilities; what a capability allows is skipped
where it is not declared.
"""
