"""Docker, as far as `sam local` needs it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import LocalStackError

BASE_IMAGE = "public.ecr.aws/lambda/python:3.13"
# What `sam local` builds of the base image and the layer, one for each state of the layer.
BUILT_IMAGES = "samcli/lambda-python"
SAM_LABEL = "sam.cli.container.type"
# Lambda's names for the processors that Docker calls otherwise.
ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


class NoDockerError(LocalStackError):
    """No Docker daemon answers."""


@dataclass(frozen=True)
class Bridge:
    """Docker's default network: this machine's address in it, and all of its addresses."""

    gateway: str
    subnet: str


class Docker:
    """A Docker daemon that answers."""

    def __init__(self) -> None:
        """Raises NoDockerError."""
        # Imported by the commands that need it: most never do, and it takes as long as everything else together.
        import docker  # noqa: PLC0415

        self._not_found = docker.errors.NotFound
        self._refused = docker.errors.APIError
        try:
            self._client: Any = docker.from_env(timeout=60)
            self._client.ping()
        except docker.errors.DockerException as error:
            where = os.environ.get("DOCKER_HOST", "the default socket")
            raise NoDockerError(f"no Docker daemon answers at {where}: {error}") from error

    @property
    def architecture(self) -> str:
        name = str(self._client.version()["Arch"])
        return ARCHITECTURES.get(name, name)

    @property
    def bridge(self) -> Bridge:
        network = self._client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        # Docker takes the first address for itself and does not always say so.
        first = next(ipaddress.ip_network(network["Subnet"]).hosts())
        return Bridge(network.get("Gateway") or str(first), network["Subnet"])

    @property
    def has_base_image(self) -> bool:
        """Whether the image is here already: then `sam local` need not ask the registry for a newer one."""
        try:
            self._client.images.get(f"{BASE_IMAGE}-{self.architecture}")
        except self._not_found:
            return False
        return True

    @contextlib.contextmanager
    def left_as_found(self, sources: Path) -> Iterator[None]:
        """Remove the images that `sam local` builds meanwhile, and containers of it that run the code in `sources`."""
        before = self._built_images()
        try:
            yield
        finally:
            for container in self.containers(sources):
                with contextlib.suppress(self._not_found):
                    container.remove(force=True)
            # Those that are new, and those that lost their name to a new one; the newest first, for one may be made
            # of another. One that somebody uses stays.
            after = self._built_images()
            for image in sorted(before.keys() ^ after.keys(), key=lambda each: (before | after)[each], reverse=True):
                with contextlib.suppress(self._refused):
                    self._client.images.remove(image, force=True)

    def containers(self, sources: Path) -> list[Any]:
        """Containers that `sam local` made of functions whose code is in `sources`."""
        found = self._client.containers.list(all=True, filters={"label": SAM_LABEL}, ignore_removed=True)
        return [each for each in found if any(_is_in(sources, mount) for mount in each.attrs["Mounts"])]

    def _built_images(self) -> dict[str, str]:
        """Id -> when it was made, ISO 8601."""
        return {image.id: image.attrs["Created"] for image in self._client.images.list(BUILT_IMAGES)}


def _is_in(folder: Path, mount: dict[str, Any]) -> bool:
    return Path(mount["Source"]).is_relative_to(folder)
