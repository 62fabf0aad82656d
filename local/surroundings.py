"""The environment variables of child processes: what the user has set up for AWS must neither matter nor be touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from local.settings import HOST, REGION, VENV_BIN, Settings

# Prefixes of variables that would change what our own AWS tools do, and what an outer `make` passes on.
FOREIGN = ("AWS_", "SAM_CLI_", "MINISTACK_", "LOCALSTACK_", "SFN_", "LAMBDA_")
FOREIGN_NAMES = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}


def clean(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without settings of AWS tools, and with loopback never sent through a proxy."""
    kept = {
        name: value for name, value in environ.items() if not name.startswith(FOREIGN) and name not in FOREIGN_NAMES
    }
    no_proxy = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), HOST, "localhost"]))
    return {
        **kept,
        "PATH": f"{VENV_BIN}{os.pathsep}{environ.get('PATH', os.defpath)}",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


def for_sam(settings: Settings) -> dict[str, str]:
    return {
        **clean(),
        "AWS_ENDPOINT_URL": settings.aws_endpoint,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(settings.state_dir / "sam-home"),
        # Seconds between its looks at a change set; the default of 5 suits AWS, not a local engine.
        "SAM_CLI_POLL_DELAY": "0.5",
    }


def for_engine(settings: Settings, temporary: Path) -> dict[str, str]:
    return {
        **clean(),
        "GATEWAY_PORT": str(settings.aws_port),
        "MINISTACK_REGION": REGION,
        "SFN_WAIT_SCALE": str(settings.wait_scale),
        "WANFLOW_ENGINE_WORKERS": str(settings.workers_per_function),
        "WANFLOW_ENGINE_LOGS": str(settings.log_dir),
        # A call that queues for a function's worker holds a thread meanwhile.
        "MINISTACK_WORKER_THREADS": "512",
        "TMPDIR": str(temporary),
        "S3_DATA_DIR": str(temporary / "s3"),
        "STATE_DIR": str(temporary / "state"),
        # No listeners but the one port, and hands off the user's Docker.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{temporary}/no-docker",
        "PYTHONUNBUFFERED": "1",
    }
