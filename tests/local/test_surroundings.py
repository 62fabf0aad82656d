"""What child processes see of the user's environment."""

from pathlib import Path

from local import surroundings
from local.settings import Settings

USERS = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "the-users-own",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "SAM_CLI_TELEMETRY": "1",
    "MAKEFLAGS": "-j4",
    "HOME": "/home/someone",
    "HTTPS_PROXY": "http://proxy.example.com:3128",
    "NO_PROXY": "internal.example.com",
    "PATH": "/usr/bin",
}


def test_the_users_aws_settings_reach_no_child() -> None:
    seen = surroundings.clean(USERS)

    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "SAM_CLI_TELEMETRY", "MAKEFLAGS"} & set(seen)
    assert seen["AWS_ACCESS_KEY_ID"] == "local"
    assert seen["AWS_CONFIG_FILE"] == seen["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_a_proxy_is_kept_for_installs_but_never_used_for_loopback() -> None:
    seen = surroundings.clean(USERS)

    assert seen["HTTPS_PROXY"] == USERS["HTTPS_PROXY"]
    assert seen["NO_PROXY"].split(",") == ["internal.example.com", "127.0.0.1", "localhost"]


def test_sam_talks_to_the_engine_alone_and_reports_to_nobody() -> None:
    seen = surroundings.for_sam(Settings.from_environment({}))

    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert seen["SAM_CLI_TELEMETRY"] == "0"


def test_the_engine_opens_one_port_and_leaves_docker_alone(tmp_path: Path) -> None:
    seen = surroundings.for_engine(Settings.from_environment({}), tmp_path)

    assert seen["IOT_MTLS_ENABLED"] == seen["SFTP_ENABLED"] == "0"
    assert seen["DOCKER_HOST"].startswith(f"unix://{tmp_path}")
    assert seen["TMPDIR"] == str(tmp_path)
