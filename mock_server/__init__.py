"""A mock of the Wan 2.6 Reference-to-Video API: a pure simulator behind an HTTP server and an in-process door."""
