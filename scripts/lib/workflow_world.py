"""The world in which scripts/workflow-test runs the blocks of a workflow: a bare remote, clones that
work against it, and what a runner does for a step."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYYAML = "PyYAML==6.0.3"
# Each workflow twice: this repository's own, and the one that `init` writes.
WORKFLOWS = {
    "orchestration": {
        "own": ROOT / ".github/workflows/policy_orchestration.yml",
        "init": ROOT / "src/cli/init/workflow.yml",
    },
    "responses": {
        "own": ROOT / ".github/workflows/policy_response_runner.yml",
        "init": ROOT / "src/cli/init/response_runner.yml",
    },
    "alerts": {
        "own": ROOT / ".github/workflows/policy_orchestration_alerts.yml",
        "init": ROOT / "src/cli/init/alerts.yml",
    },
}
STATE = "state/policy_state.json"
JOURNAL = "state/policy_state_log.jsonl"
SUMMARY = "audit_summary.md"
RECORD = re.compile(r"audit_summary\.md|state/(policy_state\.json|policy_state_log\.jsonl(\.torn)?"
                    r"|journal_heads\.json|portal_data\.json|policies/.+|segments/.+)")
FIX = re.compile(r"fix/policy-orchestrator-\d{14}")
KEY = "0123456789abcdef0123456789abcdef"
SIGNALS = {
    "trust_lock_state.json": '{"locked": false}\n',
    "exports/integrity_metrics_registry.csv": "timestamp,integrity_score\n2026-01-01T00:00:00Z,97.5\n",
    "federation/weighted_consensus.json": '{"weighted_agreement_pct": 96.0, "peers_checked": 3}\n',
    "federation/reputation_index.json": '{"peers": [{"peer": "a", "reputation_score": 91.0}]}\n',
    "forensics/forensics_anomaly_forecast.json": '{"status": "success", "risk_level": "low"}\n',
    "forensics/response_history.jsonl": "",
    SUMMARY: "# Audit summary\n\nkept as it is\n",
}
INTEGRITY = "exports/integrity_metrics_registry.csv"
INVALID = "timestamp,integrity_score\n2026-01-01T00:00:00Z,NaN\n"


def load_yaml():
    """PyYAML, from a virtual environment of our own where this Python has none."""
    try:
        import yaml
        return yaml
    except ImportError:
        venv = ROOT / "target/workflow-test-venv"
        python = venv / "bin/python"
        if pathlib.Path(sys.prefix) == venv:
            sys.exit(2)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PYYAML], check=True)
        os.execv(python, [str(python), *sys.argv])


def sh(*command, cwd, env=None, check=True):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env or clean_env(),
                          text=True, capture_output=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} gave {done.returncode}: {done.stderr}")
    return done


def clean_env(**more):
    """The environment of this process without what would leak into git or into the binary."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("GIT_", "GITHUB_", "GH_", "POLICY_", "RUNNER_"))}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}
    return env | more


class Workflow:
    def __init__(self, yaml, kind, name, path=None):
        self.kind, self.name = kind, name
        self.path = path or WORKFLOWS[kind][name]
        self.text = self.path.read_text()
        self.document = yaml.safe_load(self.text)
        # YAML 1.1 reads the bare key `on` as true.
        self.on = self.document.get("on", self.document.get(True))
        (self.job,) = self.document["jobs"].values()
        self.steps = self.job["steps"]

    def step(self, name):
        (found,) = [step for step in self.steps if step["name"] == name]
        return found


class World:
    """A bare remote with what `init` writes and sample signals on `main`, and the clones that work against it."""

    def __init__(self, workflow, binary, directory, secret="", signals=SIGNALS):
        self.workflow, self.directory, self.secret = workflow, directory, secret
        self.binary = binary
        self.context = {"github.event.workflow_run.id": "", "github.event.workflow_run.run_attempt": "",
                        "inputs.auto_apply": "", "vars.POLICY_AUTO_APPLY": "",
                        "secrets.POLICY_ALERT_WEBHOOK_URL": "", "github.repository": "people/signals"}
        self.remote = directory / "remote.git"
        self.tools = directory / "tools"
        self.token_seen = directory / "environment-of-the-binary"
        self.tools.mkdir()
        executable(self.tools / "sleep", "exit 0\n")
        self.gh = self.directory / "gh"
        self.gh.mkdir()
        shutil.copy(ROOT / "scripts/lib/fake-gh", self.tools / "gh")
        # The real binary, behind a note of what it can see.
        executable(self.tools / "policy-orchestrator",
                   f'env | cut -d= -f1 >>"{self.token_seen}"\nexec "{binary}" "$@"\n')
        sh("git", "init", "--quiet", "--bare", "--initial-branch=main", self.remote, cwd=directory)
        self.writer = self.clone("writer")
        sh(binary, "init", cwd=self.writer)
        self.push_files(signals, "Sample signals")
        self.count = 0

    def env(self, **more):
        return clean_env(PATH=f"{self.tools}:{os.environ['PATH']}", FAKE_GH=str(self.gh), **more)

    def clone(self, name, depth=None):
        target = self.directory / name
        shallow = ["--depth", str(depth)] if depth else []
        sh("git", "clone", "--quiet", *shallow, f"file://{self.remote}", target, cwd=self.directory)
        sh("git", "config", "user.name", name, cwd=target)
        sh("git", "config", "user.email", f"{name}@example.invalid", cwd=target)
        if self.tip(check=False) == "":
            sh("git", "checkout", "--quiet", "-B", "main", cwd=target)
        return target

    def push_files(self, files, subject):
        """Somebody else changes files on `main`."""
        if self.tip(check=False):
            sh("git", "pull", "--quiet", "--ff-only", cwd=self.writer)
        for path, content in files.items():
            target = self.writer / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        sh("git", "add", "--all", cwd=self.writer)
        sh("git", "commit", "--quiet", "-m", subject, cwd=self.writer)
        sh("git", "push", "--quiet", "origin", "main", cwd=self.writer)

    def tip(self, branch="main", check=True):
        done = sh("git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", cwd=self.remote, check=check)
        return done.stdout.strip()

    def git(self, *arguments):
        return sh("git", *arguments, cwd=self.remote).stdout

    def show(self, path, branch="main"):
        return self.git("show", f"{branch}:{path}")

    def state(self):
        return json.loads(self.show(STATE))

    def lines(self):
        return self.show(JOURNAL).splitlines()

    def branches(self):
        return [name for name in self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
                if name != "main"]

    def checkout(self):
        """What actions/checkout leaves behind: a shallow clone on the branch, without credentials."""
        self.count += 1
        return self.clone(f"runner-{self.count}", depth=1)

    def rival(self, clone, times, work):
        """Before each of the first `times` pushes to main, somebody else pushes there."""
        rival = self.clone(f"rival-{self.count}")
        left = clone / ".git/rivals-left"
        left.write_text(f"{times}\n")
        executable(clone / ".git/hooks/pre-push", f"""
            refs=$(cat)
            case $refs in *refs/heads/main*) ;; *) exit 0 ;; esac
            left=$(cat "{left}")
            if [ "$left" -eq 0 ]; then exit 0; fi
            echo $((left - 1)) >"{left}"
            unset $(git rev-parse --local-env-vars) GITHUB_ACTIONS GITHUB_OUTPUT GITHUB_STEP_SUMMARY
            export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
            cd "{rival}"
            git pull --quiet --ff-only
            {work}
            git add --all
            git commit --quiet -m "Somebody else was first"
            git push --quiet origin main
            """)

    def run(self, name, clone, workflow=None, **more):
        """One step as the runner would do it. Returns exit code, output, and the step's files."""
        workflow = workflow or self.workflow
        step = workflow.step(name)
        values = self.context | {"github.ref_name": "main", "github.ref": "refs/heads/main", "github.token": "the-token",
                  "secrets.POLICY_AUDIT_SECRET": self.secret}
        given = {key: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values[found[1]], str(value))
                 for mapping in (workflow.document.get("env"), workflow.job.get("env"), step.get("env"))
                 for key, value in (mapping or {}).items()}
        files = {name: self.directory / f"{clone.name}-{name}"
                 for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        temporary = self.directory / f"{clone.name}-temp"
        temporary.mkdir(exist_ok=True)
        script = self.directory / f"{clone.name}-step.sh"
        script.write_text(step["run"])
        env = self.env(GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(clone), RUNNER_TEMP=str(temporary),
                       **{key: str(file) for key, file in files.items()}, **(given | more))
        done = sh("bash", "--noprofile", "--norc", "-eo", "pipefail", script, cwd=clone, env=env, check=False)
        done.text = done.stdout + done.stderr
        done.files = {key: file.read_text() for key, file in files.items()}
        return done

    def record(self, clone=None, **more):
        clone = clone or self.checkout()
        done = self.run("Evaluate and record", clone, **more)
        done.clone = clone
        return done

    def verify(self, **more):
        """Nothing but the remote counts: the chain there, checked by the binary and by this script."""
        fresh = self.checkout()
        done = sh("policy-orchestrator", "audit", "verify", cwd=fresh, env=self.env(**more), check=False)
        assert done.returncode == 0, f"audit verify gave {done.returncode}: {done.stdout}{done.stderr}"
        lines = (fresh / JOURNAL).read_bytes().split(b"\n")
        assert lines.pop() == b"", "the journal's last line has no end"
        before = b""
        for number, line in enumerate(lines, 1):
            entry = json.loads(line)
            assert entry["seq"] == number, f"line {number} has number {entry['seq']}"
            assert entry["prev"] == hashlib.sha256(before).hexdigest(), f"line {number} doesn't follow"
            before = line
        assert self.state()["journal"]["sha256"] == hashlib.sha256(before).hexdigest(), "the state names another head"
        assert self.git("rev-list", "--merges", "--count", "main").strip() == "0", "there is a merge"
        # The trees differ by nothing that the clone would still have to commit.
        assert sh("git", "status", "--porcelain", "--untracked-files=no", cwd=fresh).stdout == ""


def executable(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/usr/bin/env bash\nset -euo pipefail\n" + body)
    path.chmod(0o755)


def equal(found, expected, what):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"
