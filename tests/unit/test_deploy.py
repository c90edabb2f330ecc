"""The units, services and manifests of deploy/ start commands that exist, as they should be."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from packaging.utils import canonicalize_name

from docpipe.cli import cli
from docpipe.models.status import QUEUES
from tests import supply

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
CELERY_OPTIONS = {"--hostname"}
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
RECIPE = (DEPLOY / "image" / "Dockerfile").read_text()


def listed(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "kubernetes" / name).read_text())["items"]
    return found


MANIFESTS, REDIS = listed("docpipe.yaml"), listed("redis.yaml")
PODS: dict[str, Any] = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in MANIFESTS
    if each["kind"] == "Deployment"
}
PROBES: dict[str, Any] = yaml.safe_load(
    re.findall(
        r"^```yaml\n(livenessProbe.*?)^```$", (ROOT / "docs/how-to/monitor.md").read_text(), re.M | re.S
    )[0]
)


def settings(unit: Path) -> dict[str, str]:
    """The unit's settings; of those that stand several times, the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.M))


def has_only_known_options(arguments: list[str]) -> bool:
    """Whether the docpipe command that the first argument names knows the options of the others."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert isinstance(command, click.Command)
    known = {option for parameter in command.params for option in parameter.opts} | CELERY_OPTIONS
    return {argument for argument in arguments if argument.startswith("-")} <= known


# --- systemd ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_with_options_that_exist(unit: Path) -> None:
    program, *arguments = settings(unit)["ExecStart"].split()
    assert program.endswith("/bin/docpipe")
    assert has_only_known_options(arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_started_again_for_ever_and_not_as_root(unit: Path) -> None:
    found = settings(unit)
    assert (found["Restart"], found["StartLimitIntervalSec"], found["User"]) == ("always", "0", "docpipe")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd's own check")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    programs = f"{Path(sys.executable).parent}/"
    (tmp_path / unit.name).write_text(unit.read_text().replace("/srv/docpipe/venv/bin/", programs))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_worker_names_every_queue_and_stops_warmly() -> None:
    text = (DEPLOY / "systemd" / "docpipe-worker@.service").read_text()
    assert {queue for queue in QUEUES.values() if f"docpipe-worker@{queue}" in text} == set(QUEUES.values())
    # only the main process is told to stop: children that were told too would drop their work
    assert settings(DEPLOY / "systemd" / "docpipe-worker@.service")["KillMode"] == "mixed"


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(each.name for each in DEPLOY.iterdir()))
def test_the_command_writes_the_files_of_a_folder(kind: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["deploy", kind, "--write", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    folders = {"compose", "image"} if kind == "compose" else {kind}
    expected = {each.name: each.read_text() for folder in folders for each in (DEPLOY / folder).iterdir()}
    assert {each.name: each.read_text() for each in (tmp_path / "out").iterdir()} == expected != {}


# --- compose ---------------------------------------------------------------------------------------


def test_compose_starts_a_redis_that_forgets_nothing() -> None:
    redis = SERVICES["redis"]
    assert redis["command"] == "redis-server --appendonly yes --maxmemory-policy noeviction"
    assert redis["volumes"] == ["redis:/data"]
    assert "redis" in COMPOSE["volumes"]


def test_compose_starts_one_worker_per_queue() -> None:
    workers = [
        shlex.split(each["command"]) for each in SERVICES.values() if "docpipe worker" in each["command"]
    ]
    assert [command[command.index("-Q") + 1] for command in workers] == list(QUEUES.values())


def test_compose_starts_reaper_and_metrics_and_the_rest_on_request() -> None:
    asked = {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each}
    assert asked == {"beat": ["beat"], "flower": ["flower"]}
    assert SERVICES.keys() - asked.keys() == {"redis", *QUEUES.values(), "reaper", "metrics"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_started_again_and_seen_from_this_machine_only(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize(
    "name", [name for name, each in SERVICES.items() if each["command"][:8] == "docpipe "]
)
def test_a_service_runs_a_command_with_options_that_exist(name: str) -> None:
    assert has_only_known_options(shlex.split(SERVICES[name]["command"])[1:])


@pytest.mark.parametrize("name", [name for name in SERVICES if name in QUEUES.values()])
def test_a_service_that_works_is_probed(name: str) -> None:
    probe = SERVICES[name]["healthcheck"]["test"]
    assert probe == " ".join(PROBES["livenessProbe"]["exec"]["command"])


# --- Kubernetes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_manifest_of_docpipe_runs_what_the_service_of_compose_runs(manifest: dict[str, Any]) -> None:
    if manifest["kind"] == "Deployment":
        part = manifest["metadata"]["name"].removeprefix("docpipe-")
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        assert container["args"] == shlex.split(SERVICES[part]["command"])
        assert container["image"] == SERVICES[part]["image"]


def test_the_manifests_start_what_compose_starts() -> None:
    started = [each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "Deployment"]
    asked = {f"docpipe-{name}" for name, each in SERVICES.items() if "profiles" not in each}
    assert set(started) == asked - {"docpipe-redis"}
    assert len(started) == len(set(started))


def test_the_workers_are_probed_as_the_page_says_and_stop_as_warmly_as_elsewhere() -> None:
    for queue in QUEUES.values():
        pod = PODS[f"docpipe-{queue}"]
        (container,) = pod["containers"]
        assert {name: container[name] for name in PROBES} == PROBES
        assert pod["terminationGracePeriodSeconds"] == 300
        assert SERVICES[queue]["stop_grace_period"] == "5m"


def test_the_probes_are_commands_that_exist() -> None:
    for probe in PROBES.values():
        program, *arguments = probe["exec"]["command"]
        assert program == "docpipe"
        assert has_only_known_options(arguments)


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_a_pod_has_no_rights_and_no_variables_that_look_like_settings(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == int(re.findall(r"^USER (\d+)$", RECIPE, re.M)[0])
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False  # DOCPIPE_REDIS_PORT, of the service docpipe-redis
    assert pod["automountServiceAccountToken"] is False


def test_a_selector_finds_its_own_pods_only() -> None:
    everything = MANIFESTS + REDIS
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in everything
        if "template" in each["spec"]
    }
    for each in everything:
        selector = each["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert [name for name, labels in pods.items() if labels == wanted] == [each["metadata"]["name"]]


def test_the_redis_of_the_manifests_is_that_of_compose() -> None:
    (container,) = REDIS[0]["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (
        SERVICES["redis"]["image"],
        shlex.split(SERVICES["redis"]["command"]),
    )


# --- the image -------------------------------------------------------------------------------------


def test_the_image_is_of_this_version_and_its_user_is_not_root() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.findall(r"^ARG VERSION=(.*)$", RECIPE, re.M) == [project["version"]]
    assert {each["image"] for name, each in SERVICES.items() if name != "redis"} == {
        f"docpipe:{project['version']}"
    }
    weights = [each for each in project["optional-dependencies"]["ner"] if each.startswith("docpipe-names")]
    assert weights == re.findall(r"docpipe-names==\S+", RECIPE)
    assert "USER root" not in RECIPE
    assert "compileall" in RECIPE


def test_the_images_packages_are_the_locks_by_the_same_hashes() -> None:
    locked, of_image = (
        locked_in(ROOT / "requirements.lock"),
        locked_in(DEPLOY / "image" / "requirements.lock"),
    )
    assert of_image.items() <= locked.items(), "run: make lock"
    wanted = {name for extra in ("worker", "metrics", "otel") for name in supply.brought_by(extra)}
    assert wanted | {"flower"} <= of_image.keys() | set(supply.WEIGHTS), "run: make lock"
    assert not {"pytest", "mypy", "spacy"} & of_image.keys()


def locked_in(file: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Each package with its version and its hashes."""
    entries = re.split(r"^(?=[A-Za-z0-9])", file.read_text(), flags=re.M)[1:]
    matches = [(re.match(r"([^=\s]+)==(\S+)", each), each) for each in entries]
    return {
        canonicalize_name(found[1]): (found[2], frozenset(re.findall(r"sha256:\w+", entry)))
        for found, entry in matches
        if found
    }
