"""The promises of the service, attacked: crash points, random interleavings, hostile requests (docs/guarantees.md)."""
