"""What `init --pages` writes: its steps, run one by one; what it hands over; and the page that a plain
server of files then shows. With it, the daily workflow of an empty repository, every step in order."""

import contextlib
import functools
import hashlib
import html.parser
import http.server
import os
import re
import shutil
import subprocess
import tarfile
import threading
import urllib.request

from workflow_world import ROOT, STATE, JOURNAL, equal, sh

PAGES = ROOT / "src/cli/init/pages.yml"
WRITTEN = ".github/workflows/policy_portal.yml"
PAGE = {"portal/index.html", "portal/portal.css", "portal/portal.js", "portal/icon.svg"}
RECORD = {"state/policy_state.json", "state/portal_data.json"}
BROWSERS = ("chromium", "google-chrome", "chromium-browser")


# --- what the file says -------------------------------------------------------------------------

def check_pages_triggers(workflow):
    equal(workflow.document["name"], "Policy Portal", "name")
    equal(set(workflow.on), {"workflow_run", "push", "workflow_dispatch"}, "triggers")
    equal(workflow.on["workflow_run"], {"workflows": ["Policy Orchestration", "Policy Response Runner"],
                                        "types": ["completed"]}, "the workflows that it follows")
    equal(workflow.on["push"], {"paths": ["portal/**"]}, "pushes")
    assert "github.event.workflow_run.head_branch == github.event.repository.default_branch" in workflow.job["if"]
    assert "github.event.workflow_run.head_repository.full_name == github.repository" in workflow.job["if"]


def check_pages_permissions(workflow):
    equal(workflow.document["permissions"], {}, "permissions of the workflow")
    equal(workflow.job["permissions"], {"contents": "read", "pages": "write", "id-token": "write"}, "of the job")
    equal(workflow.job["environment"]["name"], "github-pages", "environment")
    checkout = workflow.step("Check out the branch as it is now")
    equal(checkout["with"], {"ref": "refs/heads/${{ github.event.repository.default_branch }}",
                             "persist-credentials": False}, "checkout")


def check_pages_handed_over(workflow):
    """An artifact of this name and form is what actions/deploy-pages takes."""
    upload = workflow.step("Hand it over")
    equal(upload["with"], {"name": "github-pages", "path": "${{ runner.temp }}/artifact.tar",
                           "retention-days": 1, "if-no-files-found": "error"}, "upload")
    names = [step["name"] for step in workflow.steps]
    equal(names[-1], "Publish", "the last step")
    assert names.index("Hand it over") < names.index("Publish")
    assert workflow.job["environment"]["url"] == f"${{{{ steps.{workflow.steps[-1]['id']}.outputs.page_url }}}}"


CHECKS = (check_pages_triggers, check_pages_permissions, check_pages_handed_over)


# --- what the steps do --------------------------------------------------------------------------

def publish(world):
    """The job, step by step: returns what the step with the commands came to, and the site's directory."""
    assert world.workflow.text.replace("{{VERSION}}", "") != world.workflow.text
    clone = site = done = None
    for step in world.workflow.steps:
        action = step.get("uses", "").split("@")[0]
        if action == "actions/checkout":
            clone = world.checkout()
        elif action == "actions/upload-artifact":
            path = step["with"]["path"].replace("${{ runner.temp }}", str(world.directory / f"{clone.name}-temp"))
            site = world.directory / f"{clone.name}-site"
            with tarfile.open(path) as archive:
                members = archive.getmembers()
                odd = [member.name for member in members if not member.isfile() and not member.isdir()]
                equal(odd, [], "members that are neither files nor directories")
                archive.extractall(site, filter="data")
        elif action == "actions/deploy-pages":
            assert site is not None, "nothing was handed over before it was published"
        else:
            done = world.run(step["name"], clone)
            if done.returncode != 0:
                break
    return done, site


def files_of(site):
    return {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}


def with_page(world):
    """`init --pages` on the branch."""
    sh(world.binary, "init", "--pages", cwd=world.writer)
    assert (world.writer / WRITTEN).is_file(), "init --pages wrote no workflow"
    world.push_files({}, "The page")


@contextlib.contextmanager
def served(site):
    """A plain server of the site, as GitHub Pages is one."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class Links(html.parser.HTMLParser):
    """Everything that a page asks for by itself, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and not value.startswith(("#", "http:", "https:", "data:")):
                self.found.append(value)


def drawn(url):
    """The page as a browser drew it; None where there is none and nobody asks for one."""
    browser = next(filter(shutil.which, BROWSERS), None)
    if browser is None:
        assert not os.environ.get("POLICY_REQUIRE_BROWSER"), "a browser is required here and absent"
        print("        not drawn: there is no Chromium here", flush=True)
        return None
    done = subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                           "--no-first-run", "--virtual-time-budget=8000", "--dump-dom", url],
                          text=True, capture_output=True, timeout=120)
    return done.stdout


def test_pages_whole(world):
    """The daily workflow records, this one publishes: exactly the page's files, and they draw."""
    with_page(world)
    record = world.run("Evaluate and record", world.checkout(), workflow=world.orchestration)
    equal(record.returncode, 0, f"exit code of the daily workflow ({record.text})")
    # Files that nobody is to read on a page.
    world.push_files({"secret.env": "a=b\n", "portal/notes.txt": "not of the page\n"}, "More")
    done, site = publish(world)
    equal(done.returncode, 0, f"exit code ({done.text})")
    equal(files_of(site), PAGE | RECORD | {"index.html"}, "files of the site")
    for path in PAGE | RECORD:
        equal((site / path).read_text(), world.show(path), path)
    with served(site) as address:
        assert b"url=portal/" in get(f"{address}/"), "the first page leads nowhere"
        page = get(f"{address}/portal/").decode()
        wanted = Links(page).found
        assert {"portal.css", "portal.js"} <= set(wanted), wanted
        for link in wanted:
            get(f"{address}/portal/{link}")
        shown = drawn(f"{address}/portal/")
    if shown is not None:
        assert re.search(r"<html[^>]* data-drawn", shown), "the page did not draw"
        assert re.search(r'id="badge-text"[^>]*>\s*GREEN\s*<', shown), "the level is not shown"


def test_pages_without_record(world):
    """Nothing recorded yet: the page alone, which is grey and says so."""
    with_page(world)
    sh("git", "rm", "--quiet", "--ignore-unmatch", *RECORD, cwd=world.writer)
    world.push_files({}, "Nothing recorded")
    done, site = publish(world)
    equal(done.returncode, 0, f"exit code ({done.text})")
    equal(files_of(site), PAGE | {"index.html"}, "files of the site")
    with served(site) as address:
        shown = drawn(f"{address}/portal/")
    if shown is not None:
        assert re.search(r'id="badge-text"[^>]*>\s*—\s*<', shown), "a level is shown that nobody recorded"


def test_pages_missing_file(world):
    with_page(world)
    (world.writer / "portal/portal.js").unlink()
    world.push_files({}, "A file is gone")
    done, site = publish(world)
    equal((done.returncode, site), (1, None), "exit code and site")
    assert "::error::portal/portal.js is missing" in done.text, done.text


def test_pages_link(world):
    """A link in place of a file could publish anything that the runner can read."""
    with_page(world)
    (world.writer / "portal/portal.js").unlink()
    (world.writer / "portal/portal.js").symlink_to("/etc/passwd")
    world.push_files({}, "A link")
    done, site = publish(world)
    equal((done.returncode, site), (1, None), "exit code and site")
    # One in place of the state is left out.
    (world.writer / "portal/portal.js").unlink()
    sh(world.binary, "init", "--pages", cwd=world.writer)
    (world.writer / STATE).unlink(missing_ok=True)
    (world.writer / STATE).parent.mkdir(exist_ok=True)
    (world.writer / STATE).symlink_to("/etc/passwd")
    world.push_files({}, "Another")
    done, site = publish(world)
    equal(done.returncode, 0, f"exit code ({done.text})")
    assert STATE not in files_of(site), "what a link leads to was published"


RUNS = (test_pages_whole, test_pages_without_record, test_pages_missing_file, test_pages_link)


def test_empty_repository(world):
    """Nothing but what `init` wrote: the job of the daily workflow, every step in its order."""
    equal(world.git("ls-tree", "--name-only", "main").split().count("notes.txt"), 0, "files of others")
    asset = (world.directory / "server/people/policy-orchestrator/releases/download/v9.9.9"
             / "policy-orchestrator-x86_64-linux")
    asset.parent.mkdir(parents=True)
    shutil.copy(world.binary, asset)
    given = {"PROGRAM_REPOSITORY": f"file://{world.directory}/server/people/policy-orchestrator",
             "PROGRAM_VERSION": "9.9.9", "PROGRAM_SHA256": hashlib.sha256(asset.read_bytes()).hexdigest(),
             "PROGRAM_COMMIT": ""}
    clone, ran, kept = None, [], []
    for step in world.workflow.steps:
        action = step.get("uses", "").split("@")[0]
        if action == "actions/checkout":
            clone = world.checkout()
        elif action == "actions/upload-artifact":
            kept = step["with"]["path"].split()
            missing = [path for path in kept if not (clone / path).is_file()]
            equal(missing, [], "what should be kept")
        elif "outcome == 'failure'" in str(step.get("if", "")):
            continue
        else:
            done = world.run(step["name"], clone, **given)
            equal(done.returncode, 0, f"exit code of `{step['name']}` ({done.text})")
            ran.append(step["name"])
            if done.files["GITHUB_PATH"]:
                program = done.files["GITHUB_PATH"].strip()
                equal(sh("policy-orchestrator", "--version", cwd=clone,
                         env=world.env() | {"PATH": f"{program}:{os.environ['PATH']}"}).returncode, 0, "the program")
    equal(kept, [STATE, JOURNAL], "artifacts")
    assert len(ran) >= 3, ran
    equal(world.state()["policy"], "GREEN", "level")
    equal(len(world.lines()), 1, "lines")
    world.verify()
