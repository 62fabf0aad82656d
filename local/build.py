"""`sam build`, done once for each state of the sources."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from local import surroundings
from local.processes import Children
from local.settings import SAM, STATE, Settings

SOURCE_KEYS = {"CodeUri", "ContentUri", "DefinitionUri"}
BUILDS_KEPT = 3


def build(children: Children, settings: Settings) -> Path:
    """The built template; `sam build` runs only when its sources have changed since."""
    target = STATE / "build" / fingerprint(settings.template)
    with one_at_a_time(STATE / "build.lock"):
        if not (target / "template.yaml").exists():
            sam_build(children, settings, target)
            forget_old_builds(target.parent)
        os.utime(target)
    return target / "template.yaml"


def sam_build(children: Children, settings: Settings, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command: list[str | Path] = [SAM, "build", "--template-file", settings.template]
    command += ["--base-dir", settings.template.parent, "--build-dir", unfinished]
    command += ["--cache-dir", STATE / "sam-cache", "--config-file", empty_config(settings)]
    children.run("sam build", command, surroundings.for_sam(settings), settings.log_dir / "sam-build.log")
    unfinished.rename(target)


def empty_config(settings: Settings) -> Path:
    """A user's own samconfig.toml is about their AWS account and must not steer the local stack."""
    path = settings.state_dir / "samconfig.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version = 0.1\n", "utf-8")
    return path


def fingerprint(template: Path) -> str:
    """A hash over the template and every file that it builds from."""
    digest = hashlib.sha256()
    for path in [template, *source_files(template)]:
        digest.update(str(path.relative_to(template.parent)).encode())
        digest.update(b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_files(template: Path) -> list[Path]:
    files: set[Path] = set()
    for source in sources(template):
        found = source.rglob("*") if source.is_dir() else [source]
        files.update(path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return sorted(files)


def sources(template: Path) -> list[Path]:
    """The files and folders that the template names as sources."""

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in SOURCE_KEYS and isinstance(value, str):
                    yield value
                yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    document = yaml.load(template.read_text("utf-8"), Loader=PlainLoader)  # noqa: S506 - a SafeLoader underneath
    return [template.parent / name for name in sorted(set(walk(document)))]


class PlainLoader(yaml.SafeLoader):
    """Reads CloudFormation's `!Ref`, `!Sub` and so on as their bare operands."""


def operand(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_object(yaml.ScalarNode("tag:yaml.org,2002:str", node.value))


PlainLoader.add_multi_constructor("!", operand)


def forget_old_builds(folder: Path) -> None:
    builds = sorted(filter(Path.is_dir, folder.iterdir()), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in builds[BUILDS_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Two commands that start together must not build into the same folder."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
