"""The contract: the OpenAPI document against the code, the running API against the document."""
