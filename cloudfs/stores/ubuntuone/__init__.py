"""Ubuntu One Files, by its REST API."""
