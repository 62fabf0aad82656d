"""Where things are and what the environment may change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.errors import LocalStackError

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
ENGINE_PYTHON = STATE / "envs" / "engine" / "bin" / "python"
SAM = STATE / "envs" / "sam" / "bin" / "sam"
VENV_BIN = ROOT / ".venv" / "bin"

HOST = "127.0.0.1"
REGION = "us-east-1"
STACK_NAME = "wanflow"
MOCK_API_KEY = "test-key"

AWS_PORT_VARIABLE = "WANFLOW_AWS_PORT"
MOCK_PORT_VARIABLE = "WANFLOW_MOCK_PORT"
# Where endpoints.json and the logs go: a second stack beside the first needs another place, as it needs other ports.
STATE_VARIABLE = "WANFLOW_STATE_DIR"


@dataclass(frozen=True)
class Provider:
    """The Wan API that jobs go to."""

    base_url: str
    api_key: str
    is_mock: bool


@dataclass(frozen=True)
class Settings:
    aws_port: int
    mock_port: int
    provider: Provider
    template: Path = ROOT / "template.yaml"
    state_dir: Path = STATE
    # Seconds that the mock takes over one video.
    render_seconds: float = 3.0
    # Waits and retry pauses of Step Functions are multiplied by this.
    wait_scale: float = 1.0
    workers_per_function: int = 2
    # Parameters of the template beyond those that a stack on this machine needs anyway.
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def aws_endpoint(self) -> str:
        return f"http://{HOST}:{self.aws_port}"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"

    @property
    def endpoints_file(self) -> Path:
        return self.state_dir / "endpoints.json"

    @property
    def shell_file(self) -> Path:
        return self.state_dir / "env"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        mock_port = port(environ, MOCK_PORT_VARIABLE, 8787)
        return cls(
            aws_port=port(environ, AWS_PORT_VARIABLE, 4566),
            mock_port=mock_port,
            provider=provider(environ, mock_port),
            state_dir=state_dir(environ),
        )


def state_dir(environ: Mapping[str, str]) -> Path:
    return Path(environ.get(STATE_VARIABLE) or STATE).absolute()


def mock_provider(mock_port: int) -> Provider:
    return Provider(base_url=f"http://{HOST}:{mock_port}", api_key=MOCK_API_KEY, is_mock=True)


def provider(environ: Mapping[str, str], mock_port: int) -> Provider:
    base_url = environ.get("WAN_API_BASE_URL", "").rstrip("/")
    api_key = environ.get("WAN_API_KEY", "")
    if not base_url:
        return mock_provider(mock_port)
    if not base_url.startswith(("http://", "https://")):
        raise LocalStackError(f"WAN_API_BASE_URL must start with http:// or https://, not {base_url!r}")
    if not api_key:
        raise LocalStackError("WAN_API_BASE_URL is set but WAN_API_KEY is not: the Wan API needs your key")
    return Provider(base_url=base_url, api_key=api_key, is_mock=False)


def port(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable, "") or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise LocalStackError(f"{variable} must be a port number from 1 to 65535, not {text!r}")
    return int(text)
