"""OpenStack Swift, and hubiC in front of it."""
