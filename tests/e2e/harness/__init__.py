"""What the end-to-end tests stand on: processes, an HTTP client, event streams, the store. Standard library only."""
