"""What the environment may say, and how a mistake in it is answered."""

from pathlib import Path

import pytest

from local.deploy import parameters
from local.errors import LocalStackError
from local.settings import STATE, Settings


def test_without_any_variable_the_stack_has_its_usual_ports_and_the_mock() -> None:
    settings = Settings.from_environment({})

    assert settings.aws_endpoint == "http://127.0.0.1:4566"
    assert settings.provider.base_url == "http://127.0.0.1:8787"
    assert settings.provider.is_mock
    assert settings.endpoints_file == STATE / "endpoints.json"


def test_ports_and_the_place_of_the_endpoints_file_can_be_chosen(tmp_path: Path) -> None:
    environ = {"WANFLOW_AWS_PORT": "5001", "WANFLOW_MOCK_PORT": "5002", "WANFLOW_STATE_DIR": str(tmp_path)}

    settings = Settings.from_environment(environ)

    assert (settings.aws_port, settings.mock_port) == (5001, 5002)
    assert settings.provider.base_url == "http://127.0.0.1:5002"
    assert settings.endpoints_file == tmp_path / "endpoints.json"


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "45 66", "4566.0"])
def test_a_port_that_is_none_is_refused_by_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(LocalStackError, match="WANFLOW_AWS_PORT must be a port number"):
        Settings.from_environment({"WANFLOW_AWS_PORT": text})


def test_the_real_wan_api_takes_the_mocks_place() -> None:
    settings = Settings.from_environment({"WAN_API_BASE_URL": "https://wan.example.com/api/", "WAN_API_KEY": "secret"})

    assert not settings.provider.is_mock
    assert parameters(settings)["WanApiBaseUrl"] == "https://wan.example.com/api"


def test_the_real_wan_api_gets_references_as_data_and_keeps_the_templates_pace() -> None:
    chosen = parameters(Settings.from_environment({"WAN_API_BASE_URL": "https://wan.example.com", "WAN_API_KEY": "k"}))

    assert chosen["ReferenceDelivery"] == "data_uri"
    assert not {"TypicalRenderSeconds", "MaxConcurrentTasks"} & set(chosen)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"WAN_API_BASE_URL": "https://wan.example.com"}, "WAN_API_KEY is not"),
        ({"WAN_API_BASE_URL": "wan.example.com", "WAN_API_KEY": "k"}, "must start with http"),
    ],
)
def test_half_a_provider_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(LocalStackError, match=message):
        Settings.from_environment(environ)
