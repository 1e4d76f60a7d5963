"""Ubuntu One Files: SSO, OAuth 1.0a, the REST file storage API and the content server; closed in 2014."""
