"""hubiC: OAuth2 and credentials, in front of a real Swift. Written from the facts of its API, closed in 2022."""
