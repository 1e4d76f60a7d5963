"""OpenStack's identity service, as far as signing in goes, in front of a real Swift."""
