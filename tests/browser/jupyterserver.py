"""A JupyterLab of its own on loopback: nothing of the user's configuration, a token, a free port, always shut down."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
EXTENSION = REPOSITORY / "extensions" / "jupyterlab"
DEADLINE = 90.0


class JupyterServer:
    def __init__(
        self, folder: Path, theme: str = "JupyterLab Light", subshells: bool = True, also_import: Path = REPOSITORY
    ) -> None:
        self.folder, self.token, self.also_import = folder, secrets.token_hex(16), also_import
        self.notebooks, self.runtime = folder / "notebooks", folder / "runtime"
        self.log = folder / "server.log"
        for each in (self.notebooks, self.runtime):
            each.mkdir(parents=True, exist_ok=True)
        extension = "@jupyterlab/apputils-extension"
        self._setting(extension, "themes", {"theme": theme})
        self._setting(extension, "notification", {"fetchNews": "false", "checkForUpdates": False})
        self._setting(
            extension, "kernels-settings", {"commsOverSubshells": "perCommTarget" if subshells else "disabled"}
        )
        self._process = None

    def __enter__(self) -> "JupyterServer":
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_CONFIG_PATH": str(EXTENSION / "etc" / "jupyter"),  # as this checkout has it, installed or not
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_PATH": str(EXTENSION / "share" / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
            "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "kernels", self.also_import))),
        }
        options = [
            f"--ServerApp.root_dir={self.notebooks}",
            f"--IdentityProvider.token={self.token}",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.allow_root=True",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser", *options],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.port = self._find_port()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ask the server to end, which ends its kernels; then end whatever is left of its session."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)

    def address(self, notebook: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?token={self.token}&reset"

    def _find_port(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            for found in self.runtime.glob("jpserver-*.json"):
                try:
                    return json.loads(found.read_text())["port"]
                except json.JSONDecodeError:
                    continue  # Half written.
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()}")

    def _setting(self, extension: str, plugin: str, values: dict) -> None:
        target = self.folder / "settings" / extension / f"{plugin}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values))
