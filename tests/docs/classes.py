"""What is done with each `sh` block of the documentation. A block that stands in neither table fails the tests.

A block's key is its page, the heading above it, and from the second `sh` block below that heading on its number there.
"""

RUN = {
    "README.md#ask-for-a-video",
    "README.md#ask-for-a-video/2",
    "README.md#ask-for-a-video/3",
    "README.md#or-drop-a-file-into-s3",
    "README.md#or-drop-a-file-into-s3/2",
    "README.md#or-drop-a-file-into-s3/3",
    "README.md#deploy-to-aws/2",
    "client/README.md#command",
    "docs/events.md#webhooks",
    "docs/events.md#the-secret",
    "docs/events.md#the-secret/2",
    "docs/events.md#the-secret/3",
    "docs/events.md#replay",
    "docs/events.md#replay/2",
    "docs/faq.md#how-do-i-rotate-keys",
    "docs/local-stack.md#how-does-it-run-on-my-machine",
    "docs/money.md#a-worked-example",
    "docs/operations.md#a-slot-that-an-unknown-outcome-holds",
    "docs/operations.md#how-do-i-run-it",
    "docs/operations.md#what-became-of-a-job",
    "docs/operations.md#stop-submits-and-go-on",
    "docs/operations.md#stop-submits-and-go-on/2",
    "docs/operations.md#stop-submits-and-go-on/3",
    "docs/operations.md#lost-events",
    "docs/operations.md#lost-events/2",
    "docs/operations.md#lost-events/3",
    "mock_server/README.md#the-mock-wan-server/2",
    "mock_server/README.md#scenarios",
}
"""Typed as they stand, into a real shell, against the local stack or the mock: tests/e2e/test_docs.py."""

CHECKED = {
    "README.md#two-commands": "minutes; tests/e2e/test_demo.py runs `make demo`, and `make test` is what runs this",
    "README.md#deploy-to-aws": "asks questions and needs an account; every local stack is built and deployed by sam",
    "README.md#develop": "minutes",
    "client/README.md#wanflow-client": "asks the package index; RUN's `wanflow` is installed from client/ without it",
    "docs/local-stack.md#how-does-it-run-on-my-machine/2": "replaces the functions; `make up` does the same",
    "docs/operations.md#upgrade": "minutes, and the local engine evaluates no metrics; sam deploys every local stack",
    "docs/operations.md#upgrade/2": "builds and deploys; tests/local/test_watched.py has its rules",
    "docs/operations.md#upgrade/3": "a policy for good on the tests' one stack; tests/local/test_teardown.py reads it",
    "docs/operations.md#deploy-from-github": "makes roles in an account; tests/workflow/test_github.py reads it",
    "docs/operations.md#restore-from-a-backup": "the engine restores no table; tests/functions/test_recovery.py does",
    "docs/operations.md#what-does-it-cost-by-stack-and-environment": "the local engine has no bill",
    "docs/operations.md#take-it-away": "takes the tests' one stack away; tests/local/test_teardown.py does it",
    "docs/sam-cli.md#run-a-function-in-a-container": "Docker; `make sam-local-test` does it with its own stack",
    "docs/sam-cli.md#run-a-function-in-a-container/2": "Docker; `make sam-local-test` hands in every event",
    "docs/sam-cli.md#run-a-function-in-a-container/3": "Docker and an account",
    "docs/sam-cli.md#try-all-of-it": "Docker and minutes",
    "docs/sam-cli.md#deploy-and-answer-the-questions": "asks questions; every local stack is built and deployed by sam",
    "mock_server/README.md#the-mock-wan-server": "servers that do not end, and Docker; tests/mock/test_mock_package.py",
}
"""Looked up, not run, and why. All commands of all pages are looked up, see tools.py: options, targets, files exist."""
