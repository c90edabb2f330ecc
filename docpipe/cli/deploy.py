"""`docpipe deploy`: files for machines that run docpipe."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

import click

from docpipe.cli.files import packaged, writing
from docpipe.cli.terminal import echo

_FOLDERS = {
    "systemd": ("systemd",),
    "image": ("image",),
    "compose": ("compose", "image"),  # it builds the image that it starts
    "kubernetes": ("kubernetes",),
    "prometheus": ("prometheus",),
    "grafana": ("grafana",),
}


@click.command(epilog="Example: docpipe deploy systemd --write /etc/systemd/system")
@click.argument("kind", type=click.Choice(list(_FOLDERS)))
@click.option(
    "--write", "folder", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="The folder; it is made if it is missing. Files of these names are written anew.",
)  # fmt: skip
def deploy(kind: str, folder: Path) -> None:
    """Write files to deploy with: units for systemd, an image's recipe with the lock of its packages,
    services for Docker Compose, manifests for Kubernetes, alert rules for Prometheus, a dashboard for
    Grafana.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for each in _files(kind):
        target = folder / each.name
        with writing(target):
            target.write_bytes(each.read_bytes())
        echo(f"wrote {target}")


def _files(kind: str) -> list[Traversable]:
    root = packaged("deploy")
    found = (each for folder in _FOLDERS[kind] for each in (root / folder).iterdir())
    return sorted(found, key=lambda each: each.name)
