"""The REST API, `/api/v1`: one router for each resource."""
