"""The schedules in samples/nightly: each parses, each command line in them runs, each exit code leads where it says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from batcher.cli.settings.files import files_of
from batcher.files.disk import Disk

from ..commands.test_undo import MODEL
from ..support.command import environment
from ..support.faulty import server_thread

NIGHTLY = Path(__file__).parents[2] / "samples" / "nightly"
EXIT_CODES = (0, 1, 2, 3, 4, 5, 6, 70, 130)


class Machine:
    """A directory that stands for the machine of the schedule: `batcher` on PATH, the input, the environment file."""

    def __init__(self, directory: Path, base_url: str) -> None:
        self.directory = directory
        self.env = directory / "env"
        programs = directory / "bin"
        programs.mkdir()
        (programs / "batcher").write_text(f'#!/bin/sh\nexec {sys.executable} -m batcher "$@"\n')
        (programs / "batcher").chmod(0o755)
        self.data = directory / "data"
        self.data.mkdir()
        self.rows(MODEL, MODEL, MODEL)
        self.base_url = base_url
        self.key = directory / "omni_api_key"
        self.key.write_text("omni_osk_nightly\n")
        self.key.chmod(0o600)
        example = (NIGHTLY / "env.example").read_text()
        assert re.findall(r"^[A-Z_]+=", example, re.MULTILINE) == ["OMNI_BASE_URL=", "OMNI_API_KEY_FILE="]
        self.env.write_text(self.here(example))
        self.environ = environment(directory) | {"PATH": f"{programs}:{os.environ['PATH']}"}

    def rows(self, *models: str) -> None:
        """The input."""
        lines = "".join(f"Sheet {number},{model}\n" for number, model in enumerate(models))
        (self.data / "dashboards.csv").write_text(f"name,modelId\n{lines}")

    def here(self, text: str) -> str:
        """The sample's text with this machine's places."""
        text = text.replace("/srv/batcher", str(self.data)).replace("/etc/batcher/env", str(self.env))
        text = text.replace("/etc/batcher/omni_api_key", str(self.key)).replace(
            "https://acme.omniapp.co", self.base_url
        )
        return text.replace("/usr/local/bin/batcher", str(self.directory / "bin" / "batcher"))

    def shell(self, command: str, *shell: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command line there."""
        return subprocess.run(
            [*(shell or ("/bin/sh",)), "-c", command],
            cwd=self.data,
            env=self.environ | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def settings(self) -> dict[str, str]:
        """What the environment file says."""
        return dict(line.split("=", 1) for line in self.env.read_text().splitlines() if line[:1].isupper())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another run holds the files."""
        journal = files_of([str(self.data / "dashboards.csv")]).journal
        with Disk().lock(journal, b"last night's run"):
            yield


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine and a server to send to."""
    with server_thread(tmp_path / "state.sqlite") as server:
        yield Machine(tmp_path, server.base_url)


def created(machine: Machine) -> int:
    """Lines in the results file."""
    path = machine.data / "dashboards.results.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


# cron -----------------------------------------------------------------------------------------------------------

NAME = re.compile(r"[A-Z_]+=\S.*")
FIELD = r"(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?(?:,\d{1,2})*"
ENTRY = re.compile(rf"{FIELD} {FIELD} {FIELD} {FIELD} {FIELD} (?P<command>\S.*)")


def cron_command() -> str:
    """The crontab's one command; every other line is a comment or a variable."""
    text = (NIGHTLY / "crontab").read_text()
    assert text.endswith("\n")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    entries = [line for line in lines if not NAME.fullmatch(line)]
    assert len(entries) == 1
    found = ENTRY.fullmatch(entries[0])
    assert found is not None
    assert "%" not in found["command"], "cron would take it for a line break"
    return found["command"]


def test_cron_runs_and_keeps_quiet(machine: Machine) -> None:
    """All created: no output, hence no mail; the log and the summary are there. A second night has nothing to do."""
    for _ in range(2):
        done = machine.shell(machine.here(cron_command()))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert created(machine) == 3
        assert json.loads((machine.data / "nightly.json").read_text())["exitCode"] == 0
    assert all(json.loads(line) for line in (machine.data / "nightly.log").read_text().splitlines())


def test_cron_does_not_mind_last_nights_run(machine: Machine) -> None:
    """Exit code 4 is no news."""
    with machine.locked():
        done = machine.shell(machine.here(cron_command()))
    assert (done.returncode, done.stdout, created(machine)) == (0, "", 0)
    assert "last night's run" in (machine.data / "nightly.log").read_text()


def test_cron_tells_of_a_failure(machine: Machine) -> None:
    """A bad row (1) is mail, with the place to look, where it is named; the others are created."""
    machine.rows(MODEL, "nope")
    done = machine.shell(machine.here(cron_command()))
    assert done.stdout == f"batcher ended with exit code 1, see the end of {machine.data}/nightly.log\n"
    assert json.loads((machine.data / "nightly.json").read_text())["exitCode"] == 1
    lines = [json.loads(line) for line in (machine.data / "nightly.log").read_text().splitlines()]
    [failed] = [line for line in lines if line["event"] == "failed"]
    assert (failed["source"], failed["line"], failed["reason"]) == ("dashboards.csv", 3, "invalid")
    assert (lines[-1]["level"], lines[-1]["exitCode"], created(machine)) == ("error", 1, 1)


# systemd --------------------------------------------------------------------------------------------------------


def unit(name: str) -> ConfigParser:
    """A unit file, read as strictly as configparser can: no key twice."""
    parser = ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # its documented way to keep upper case
    parser.read_string((NIGHTLY / name).read_text())
    return parser


def test_systemd_service_runs(machine: Machine) -> None:
    """Its ExecStart, in its directory and with its environment file; the codes that it takes for success."""
    service = unit("batcher-nightly.service")["Service"]
    assert service["Type"] == "oneshot"
    assert service["WorkingDirectory"] == "/srv/batcher"
    assert {int(code) for code in service["SuccessExitStatus"].split()} == {4, 6}
    assert float(service["TimeoutStopSec"]) > 60, "a drain may take as long as --timeout"
    name, path = service["LoadCredential"].split(":")
    credentials = machine.directory / "credentials"  # what systemd makes of it
    credentials.mkdir()
    shutil.copy(machine.here(path), credentials / name)
    variables = dict(pair.split("=", 1) for pair in machine.here(service["Environment"]).split())
    assert not any("KEY" in variable for variable in variables), "it would outrank the credential"
    variables |= {"CREDENTIALS_DIRECTORY": str(credentials), "BATCHER_STATE_DIR": str(machine.directory)}
    done = machine.shell(machine.here(service["ExecStart"]), **variables)
    assert (done.returncode, created(machine)) == (0, 3)
    with machine.locked():
        assert machine.shell(machine.here(service["ExecStart"]), **variables).returncode == 4


def test_systemd_timer_starts_the_service() -> None:
    """Same name, every night, made up for after an outage."""
    timer = unit("batcher-nightly.timer")
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:30:00"
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (NIGHTLY / "batcher-nightly.service").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and the calendar expression is one."""
    for name in ("batcher-nightly.service", "batcher-nightly.timer"):
        text = (NIGHTLY / name).read_text().replace("/usr/local/bin/batcher", "/bin/true")
        (tmp_path / name).write_text(text.replace("User=batcher", "User=root"))
    units = [str(tmp_path / name) for name in ("batcher-nightly.service", "batcher-nightly.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "batcher" in line] == []
    expression = unit("batcher-nightly.timer")["Timer"]["OnCalendar"]
    assert subprocess.run(["systemd-analyze", "calendar", expression], capture_output=True, check=False).returncode == 0


# GitHub Actions -------------------------------------------------------------------------------------------------


def steps() -> dict[str, dict[str, Any]]:
    """The workflow's steps that run something, by name."""
    workflow = yaml.safe_load((NIGHTLY / "github-actions.yml").read_text())
    schedule = workflow[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert ENTRY.fullmatch(f"{schedule[0]['cron']} x")
    assert workflow["concurrency"]["cancel-in-progress"] is False
    job = workflow["jobs"]["create"]
    assert job["timeout-minutes"] > 4 * 60, "batcher's own deadline comes first"
    named = {step["name"]: step for step in job["steps"] if "run" in step}
    assert all("${{" not in step["run"] for step in named.values()), "expressions belong into env"
    return named


def act(machine: Machine, name: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one step as a runner does."""
    return machine.shell(steps()[name]["run"], "bash", "--noprofile", "--norc", "-eo", "pipefail", **more)


@pytest.mark.parametrize(("models", "code", "fine"), [((MODEL, MODEL), 0, True), ((MODEL, "nope"), 1, False)])
def test_the_workflow(models: tuple[str, ...], code: int, fine: bool, machine: Machine) -> None:
    """Creates, pushes the three files, and judges by the exit code."""
    machine.rows(*models)
    remote = machine.directory / "remote.git"
    machine.shell(f"git init -q --bare -b main {remote} && git init -q -b main . && git remote add origin {remote}")
    identity = "-c user.name=t -c user.email=t@example.com"
    machine.shell(f"git add dashboards.csv && git {identity} commit -qm begin && git push -q -u origin main")
    output = machine.directory / "output"
    done = act(machine, "Create documents", GITHUB_OUTPUT=str(output), **machine.settings)
    assert done.returncode == 0, done.stderr
    assert output.read_text() == f"code={code}\n"
    kept = act(machine, "Keep results, failures and journal")
    assert kept.returncode == 0, kept.stderr
    pushed = machine.shell(f"git --git-dir {remote} ls-tree --name-only main").stdout.split()
    own = ["dashboards.failures.jsonl", "dashboards.journal.jsonl", "dashboards.results.jsonl"]
    assert pushed == ["dashboards.csv", *own]
    assert (act(machine, "Judge", CODE=str(code)).returncode == 0) is fine


@pytest.mark.parametrize("code", [*EXIT_CODES, ""])
def test_the_workflow_judges_every_exit_code(code: int | str, machine: Machine) -> None:
    """Only 0 and 6 are green; a run that never came to its end is red."""
    done = act(machine, "Judge", CODE=str(code))
    assert (done.returncode == 0) is (code in (0, 6))
    assert done.stdout.startswith("::")


# Kubernetes -----------------------------------------------------------------------------------------------------


def cron_job() -> dict[str, Any]:
    """The pod's template, after a look at what is around it."""
    cron_job = yaml.safe_load((NIGHTLY / "kubernetes-cronjob.yaml").read_text())
    assert (cron_job["apiVersion"], cron_job["kind"]) == ("batch/v1", "CronJob")
    assert ENTRY.fullmatch(f"{cron_job['spec']['schedule']} x")
    assert cron_job["spec"]["concurrencyPolicy"] == "Forbid"
    job: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]
    return job


def in_pod(machine: Machine) -> tuple[list[str], dict[str, str]]:
    """What the container starts, and its environment, with this machine's places."""
    [container] = cron_job()["template"]["spec"]["containers"]
    variables = {each["name"]: machine.here(each["value"]) for each in container["env"]}
    command = [part.replace("/data", str(machine.data)) for part in (*container["command"], *container["args"])]
    return command, machine.environ | variables | {"BATCHER_STATE_DIR": str(machine.data)}


def test_the_cron_job(machine: Machine) -> None:
    """It parses, its command runs, its rules speak of exit codes that exist, and the rest is tried again."""
    job = cron_job()
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy wants it"
    [container] = pod["containers"]
    [final, _] = job["podFailurePolicy"]["rules"]
    assert final["onExitCodes"]["containerName"] == container["name"]
    assert set(final["onExitCodes"]["values"]) == set(EXIT_CODES) - {0, 3, 4, 5, 6, 130}
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    assert pod["terminationGracePeriodSeconds"] > 60
    command, environ = in_pod(machine)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, created(machine)) == (0, 3), done.stderr
    assert json.loads(done.stdout)["created"] == 3


@pytest.mark.parametrize("code", EXIT_CODES)
def test_the_pod_succeeds_where_nothing_is_to_be_done(code: int, machine: Machine) -> None:
    """Kubernetes knows no other success than 0; what it is to try again, or not, it's told as it is."""
    (machine.directory / "bin" / "batcher").write_text(f"#!/bin/sh\nexit {code}\n")
    command, environ = in_pod(machine)
    done = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == (0 if code in (0, 4, 6) else code)
    assert done.stderr == b""


def test_the_pods_signal_reaches_batcher(machine: Machine) -> None:
    """The shell is the first process: it passes SIGTERM on and waits for the drain."""
    stand_in = "#!/bin/sh\ntrap 'sleep 0.2; echo drained; exit 130' TERM\necho ready\nwhile :; do sleep 0.05; done\n"
    (machine.directory / "bin" / "batcher").write_text(stand_in)
    command, environ = in_pod(machine)
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as pod:
        assert pod.stdout is not None
        assert pod.stdout.readline() == "ready\n"
        pod.terminate()
        assert pod.wait(timeout=30) == 130
        assert pod.stdout.read() == "drained\n"


def test_the_image() -> None:
    """The command that the pod starts is in it, and its user is the pod's."""
    lines = [line.split(maxsplit=1) for line in (NIGHTLY / "Dockerfile").read_text().splitlines() if line[:1] != "#"]
    says = dict(lines)
    assert list(says) == ["FROM", "RUN", "USER", "WORKDIR", "ENTRYPOINT"]
    assert re.fullmatch(r"python:3\.1[1-9]-slim", says["FROM"])
    assert says["RUN"] == "pip install --no-cache-dir omni-batcher"
    security = cron_job()["template"]["spec"]["securityContext"]
    assert says["USER"] == f"{security['runAsUser']}:{security['fsGroup']}"
    assert security["runAsNonRoot"] is True


# Airflow --------------------------------------------------------------------------------------------------------

STUB = '''
"""As much of Airflow as a DAG file needs to be imported: tasks are remembered, nothing runs."""
TASKS, EDGES = {}, []

class Node:
    def __init__(self, name): self.name = name
    def __rshift__(self, others): EDGES.extend((self.name, other.name) for other in others)

def task(function):
    def call(*args):
        TASKS[function.__name__] = function
        return Node(function.__name__)
    return call

task.branch = task

def dag(**settings):
    def decorate(function):
        def call():
            SETTINGS.update(settings)
            function()
        return call
    return decorate

SETTINGS = {}
'''


@pytest.fixture(params=["sdk", "decorators"])
def dag(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, Any]:
    """The DAG's module, imported with a stub of Airflow 3 or 2, and the stub."""
    package = tmp_path / "airflow"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / f"{request.param}.py").write_text(STUB)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("airflow", "airflow.sdk", "airflow.decorators"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("airflow_dag", NIGHTLY / "airflow_dag.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, sys.modules[f"airflow.{request.param}"]


def test_the_dag_branches_on_every_exit_code(dag: tuple[ModuleType, Any]) -> None:
    """Each code leads to a task that exists and follows the branch."""
    module, airflow = dag
    after: Callable[[int], str] = module.next_task
    reached = {code: after(code) for code in EXIT_CODES}
    assert reached == {
        0: "publish",
        1: "report_failures",
        2: "raise_alarm",
        3: "run_again",
        4: "leave_it",
        5: "run_again",
        6: "leave_it",
        70: "raise_alarm",
        130: "run_again",
    }
    assert {name for _, name in airflow.EDGES} == set(reached.values())
    assert {name for name, _ in airflow.EDGES} == {"choose"}
    assert airflow.SETTINGS["max_active_runs"] == 1
    assert ENTRY.fullmatch(f"{airflow.SETTINGS['schedule']} x")


def test_the_dags_command_runs(dag: tuple[ModuleType, Any], machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its function runs batcher where it should and gives its exit code."""
    module, airflow = dag
    for name, value in (machine.environ | machine.settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "DIRECTORY", str(machine.data))
    assert module.run_batcher() == 0
    assert created(machine) == 3
    with machine.locked():
        assert module.run_batcher() == 4
        airflow.TASKS["run_again"]()
    machine.rows("nope")
    with pytest.raises(RuntimeError, match="exit code 1"):
        airflow.TASKS["run_again"]()


# what watches over it -----------------------------------------------------------------------------------------------


@contextmanager
def web_hook() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A web server that takes anything; its URL, and the paths and bodies that came."""
    came: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers.get("content-length", 0)))))
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            """Not to standard error."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("code", [0, 1])
def test_the_programs_for_the_end_of_a_run(code: int, machine: Machine) -> None:
    """Slack hears of a night that wasn't whole, the heartbeat's watcher of each; the exit code stays what it is."""
    machine.rows(MODEL, "nope" if code else MODEL)
    with web_hook() as (url, came):
        for program in ("slack.py", "heartbeat.py"):
            hook = f"--on-end '{sys.executable} {NIGHTLY / program}' --skip-invalid --rate none"
            command = f"batcher run dashboards.csv {hook}"
            variables = machine.settings | {"SLACK_WEBHOOK_URL": f"{url}/slack", "HEARTBEAT_URL": f"{url}/ping"}
            done = machine.shell(command, **variables)
            assert (done.returncode, "on-end:" in done.stderr) == (code, False), done.stderr
    slack = ("/slack", b'{"text": "batcher: exit code 1, finished, 1 rows failed"}')
    assert came == ([slack, ("/ping/fail", b"")] if code else [("/ping", b"")])


def test_the_rules_speak_of_metrics_that_exist() -> None:
    """And there is one for the age of the last success."""
    rules = yaml.safe_load((NIGHTLY / "prometheus-rules.yml").read_text())["groups"][0]["rules"]
    page = (NIGHTLY.parents[1] / "batcher" / "report" / "README.md").read_text()
    named = [name for rule in rules for name in re.findall(r"batcher_[a-z_]+", rule["expr"])]
    assert "batcher_last_success_timestamp_seconds" in named
    assert [name for name in named if f"| {name} |" not in page] == []
