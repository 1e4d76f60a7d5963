"""Providers that have no server of their own to test against, as HTTP servers on loopback.

Each is strict in what it accepts, because what it forgives the real service will not, and misbehaves on command.
"""
