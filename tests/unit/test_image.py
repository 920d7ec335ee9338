"""What the image and the compose file promise, read from the files themselves."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import __version__
from service.app.process import ROLES as KNOWN_ROLES
from service.cli.main import VERBS
from tests import dockerfile

ROOT = Path(__file__).parents[2]
BUILD, RUNTIME = dockerfile.read(ROOT / "Dockerfile")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ROLES = ("gateway", "relay", "worker", "console")
UID = "10001:10001"


def lint(name: str, *words: str | Path) -> None:
    """Both linters come with the dev group."""
    done = subprocess.run(
        [Path(sys.executable).with_name(name), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, "" if done.returncode == 0 else done.stdout + done.stderr)


def test_the_dockerfile_passes_its_linter() -> None:
    lint("hadolint", ROOT / "Dockerfile")


def test_the_compose_file_fits_the_compose_specification() -> None:
    lint(
        "check-jsonschema",
        *("--builtin-schema", "vendor.compose-spec"),
        ROOT / "deploy" / "compose.yaml",
    )


def test_both_stages_start_from_the_same_slim_base_of_one_version() -> None:
    assert BUILD.base == RUNTIME.base
    image, _, tag = BUILD.base.partition(":")
    assert ("python", True) == (image, "slim" in tag)
    assert 3 == len(tag.partition("-")[0].split("."))


def test_the_build_copies_only_what_is_there_and_not_ignored() -> None:
    copied = [name.removeprefix("./") for step in BUILD.all("COPY") for name in step.arguments[:-1]]
    assert set(copied) == dockerfile.sent(ROOT)
    assert all((ROOT / name).exists() for name in copied)


def test_the_runtime_gets_nothing_but_what_the_build_made() -> None:
    assert [{"from": BUILD.name}] == [step.flags for step in RUNTIME.all("COPY")]
    assert "pip install" not in "".join(step.text for step in RUNTIME.all("RUN"))


def test_the_process_is_nobody_on_the_host_and_owns_only_its_data_directory() -> None:
    assert UID == RUNTIME.last("USER").text
    (made,) = RUNTIME.all("RUN")
    assert "install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/orderhook" in (
        made.text
    )
    assert RUNTIME.steps.index(made) < RUNTIME.steps.index(RUNTIME.last("USER"))


def test_the_image_starts_a_role_and_asks_the_program_for_its_health() -> None:
    assert ["orderhook"] == RUNTIME.last("ENTRYPOINT").arguments
    assert ["run", "all"] == RUNTIME.last("CMD").arguments
    assert ["python", "-m", "service.cli.health"] == RUNTIME.last("HEALTHCHECK").arguments
    assert RUNTIME.environment["ORDERHOOK_READY_FILE"].startswith("/tmp/")


def test_the_image_names_its_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = {key.rpartition(".")[2]: value for key, value in RUNTIME.labels.items()}
    assert (__version__, project["license"]) == (labels["version"], labels["licenses"])


def test_compose_has_a_service_for_every_role_and_what_they_need() -> None:
    assert {*ROLES, "migrate", "postgres", "rabbitmq", "sandbox-crm"} == SERVICES.keys()
    assert 2 == SERVICES["worker"]["deploy"]["replicas"]
    assert ["sandbox"] == SERVICES["sandbox-crm"]["profiles"]


def test_compose_runs_one_image_with_verbs_that_exist() -> None:
    assert {f"orderhook:{__version__}"} == {service["image"] for service in OURS.values()}
    verbs = set(VERBS)
    commands = [OURS[name]["command"] for name in OURS if "entrypoint" not in OURS[name]]
    assert all(command[0] in verbs for command in commands)
    assert {("run", role) for role in ROLES} == {
        tuple(command) for command in commands if command[0] == "run"
    }
    assert all(role in KNOWN_ROLES for role in ROLES)


def test_every_image_of_others_is_pinned_by_version() -> None:
    for name in ("postgres", "rabbitmq"):
        image, _, tag = SERVICES[name]["image"].partition(":")
        assert (name, True) == (image, tag[:1].isdigit() and "." in tag)
        assert "@" not in tag


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & service.keys()
    assert {"cpus", "memory", "pids"} == service["deploy"]["resources"]["limits"].keys()
    assert {"max-size", "max-file"} == service["logging"]["options"].keys()
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_only_the_public_listener_the_console_and_the_sandbox_are_published_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {
        "gateway": ["${ORDERHOOK_PUBLISH:-127.0.0.1:8080}:8080"],
        "console": ["${ORDERHOOK_CONSOLE:-127.0.0.1:8084}:8084"],
        "sandbox-crm": ["127.0.0.1:8090:8090"],
    } == published
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert all(["inside"] == SERVICES[name]["networks"] for name in ("postgres", "rabbitmq"))


def test_roles_start_after_the_migration_and_that_after_healthy_servers() -> None:
    for role in ROLES:
        assert {"migrate": {"condition": "service_completed_successfully"}} == (
            SERVICES[role]["depends_on"]
        )
    assert {name: {"condition": "service_healthy"} for name in ("postgres", "rabbitmq")} == (
        SERVICES["migrate"]["depends_on"]
    )
    assert all("test" in SERVICES[name]["healthcheck"] for name in ("postgres", "rabbitmq"))


def test_every_file_that_compose_names_is_there_or_made(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    _make_secrets(tmp_path / "deploy")
    mounts = [each for service in OURS.values() for each in service["volumes"]]
    mounts = [mount for mount in mounts if mount.partition(":")[0] not in COMPOSE["volumes"]]
    files = [mount.partition(":")[0] for mount in mounts]
    files += [secret["file"] for secret in COMPOSE["secrets"].values()]
    assert all((tmp_path / "deploy" / file).exists() for file in files)
    assert all(mount.endswith(":ro") for mount in mounts)


def test_secrets_are_made_once_never_shown_and_closed_to_other_users(tmp_path: Path) -> None:
    shown = _make_secrets(tmp_path)
    made = _secrets(tmp_path)
    assert "made secrets/postgres-password" in shown
    assert not [value for value in made.values() if value in shown]
    assert "made " not in _make_secrets(tmp_path)
    assert made == _secrets(tmp_path)
    assert 0o700 == (tmp_path / "secrets").stat().st_mode & 0o777


def _make_secrets(folder: Path) -> str:
    script = ROOT / "deploy" / "make-secrets.sh"
    words = ["sh", str(script), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout + done.stderr


def _secrets(folder: Path) -> dict[str, str]:
    files = [path for path in (folder / "secrets").rglob("*") if path.is_file()]
    assert {0o444} == {path.stat().st_mode & 0o777 for path in files}
    return {path.name: path.read_text("ascii").strip() for path in files}
