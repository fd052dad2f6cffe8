"""What scripts/workflow-test asks of the workflow that keeps an issue for each grave alert."""

import json

from workflow_world import JOURNAL, SUMMARY, equal, executable, sh

BRAKE = "forensics/safety_brake_state.json"
LOG = "logs/policy_orchestration_alerts.jsonl"
ALERTS = "state/policy_alert_state.json"
GOOD = '{"is_engaged": false, "response_count_24h": 0}\n'


# --- what the file says -------------------------------------------------------------------------

def check_triggers(workflow):
    equal(workflow.document["name"], "Policy Orchestration Alerts", "name")
    equal(workflow.on, {"schedule": [{"cron": "15 5 * * *"}], "workflow_dispatch": None}, "triggers")


def check_failure(workflow):
    look = workflow.step("Look for alerts")
    equal(look["continue-on-error"], True, "continue-on-error")
    last = workflow.steps[-1]
    equal(last["if"], f"always() && steps.{look['id']}.outcome == 'failure'", "condition of the last step")
    assert last["run"].rstrip().endswith("exit 1"), "the last step doesn't fail"
    assert "if" not in workflow.step("Keep the issues"), "the issues are not kept after every look"


def check_artifacts(workflow):
    step = workflow.step("Keep report and log")
    equal(step["if"], "always()", "condition")
    equal((step["with"]["retention-days"], step["with"]["if-no-files-found"]), (90, "ignore"), "retention")
    equal(step["with"]["path"].split(), ["reports/policy_orchestration_alerts.json", LOG, ALERTS], "paths")


CHECKS = (check_triggers, check_failure, check_artifacts)


# --- looking ------------------------------------------------------------------------------------

def begin(world, **files):
    """A decision of now, so that nothing is late, and a brake that is off."""
    sh("git", "pull", "--quiet", "--ff-only", cwd=world.writer)
    sh(world.binary, "run", cwd=world.writer)
    world.push_files({BRAKE: GOOD, **files}, "A decision")


def look(world, clone=None):
    clone = clone or world.checkout()
    done = world.run("Look for alerts", clone)
    done.clone = clone
    kept = world.run("Keep the issues", clone)
    done.kept, done.summary = kept, kept.files["GITHUB_STEP_SUMMARY"]
    return done


def issues(world, state="open"):
    store = world.gh / "issues.json"
    return [issue for issue in json.loads(store.read_text() if store.is_file() else "[]") if issue["state"] == state]


def calls(world):
    store = world.gh / "calls.jsonl"
    return [json.loads(line)["words"] for line in store.read_text().splitlines()] if store.is_file() else []


# --- what the blocks do -------------------------------------------------------------------------

def test_nothing_up(world):
    begin(world)
    before = world.tip()
    done = look(world)
    equal((done.returncode, done.kept.returncode), (0, 0), f"exit codes ({done.text}{done.kept.text})")
    equal([words[:2] for words in calls(world)], [["issue", "list"]], "calls of gh")
    assert "None is up." in done.summary, done.summary
    changed = world.git("diff", "--name-only", before, "main").split()
    assert set(changed) <= {ALERTS, LOG, SUMMARY}, changed


def test_open_update_close(world):
    begin(world, **{BRAKE: "broken"})
    done = look(world)
    equal((done.returncode, done.kept.returncode), (0, 0), f"exit codes ({done.text}{done.kept.text})")
    (issue,) = issues(world)
    equal((issue["title"], issue["labels"]), ("Policy alert: brake_unreadable", ["policy-alert"]), "issue")
    assert issue["body"].startswith("<!-- policy-alert: brake_unreadable -->\n**critical**"), issue["body"]
    assert "What to do: " in issue["body"], issue["body"]
    assert "::warning title=alerts::high or critical alerts are up: 1" in done.kept.text, done.kept.text
    assert "| critical | brake&#95;unreadable |" in done.summary, done.summary
    assert "POLICY_ALERT: CREATED" in world.show(SUMMARY), "the marker"
    equal(len(world.show(LOG).splitlines()), 1, "lines of the log")
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy alerts [skip ci]", "subject")

    # Once more: no second issue, and nothing to bring up to date.
    before = len(calls(world))
    look(world)
    equal([words[:2] for words in calls(world)[before:]], [["issue", "list"]], "calls of gh for a known alert")

    # The alert says something else: the same issue says it too.
    world.push_files({BRAKE: '{"is_engaged": 7}\n'}, "Another fault")
    text, issue = issue["body"], None
    look(world)
    (issue,) = issues(world)
    assert issue["number"] == 1 and issue["body"] != text, issue

    # Somebody wrote into the issue; its title still names it.
    store = json.loads((world.gh / "issues.json").read_text())
    store[0]["body"] = "I am on it"
    (world.gh / "issues.json").write_text(json.dumps(store))
    look(world)
    (again,) = issues(world)
    equal((again["number"], again["body"]), (1, issue["body"]), "issue")

    world.push_files({BRAKE: GOOD}, "Mended")
    done = look(world)
    equal((done.returncode, done.kept.returncode, issues(world)), (0, 0, []), f"exit codes and issues ({done.kept.text})")
    (closed,) = issues(world, "closed")
    assert closed["comments"][0].startswith("Resolved at 20"), closed
    assert "POLICY_ALERT: RESOLVED" in world.show(SUMMARY), "the marker"

    # And again: a new issue.
    world.push_files({BRAKE: "broken"}, "Broken again")
    look(world)
    equal([issue["number"] for issue in issues(world)], [2], "open issues")


def test_medium_opens_nothing(world):
    begin(world, **{"state/kill_switch.json": '{"on": true}\n'})
    done = look(world)
    equal((done.returncode, done.kept.returncode, issues(world)), (0, 0, []), f"exit codes and issues ({done.text})")
    assert "| medium | kill&#95;switch&#95;on |" in done.summary, done.summary


def test_fix_branch_is_seen(world):
    begin(world)
    sh("git", "push", "--quiet", "origin", "HEAD:refs/heads/fix/policy-response-20260101000000", cwd=world.writer)
    done = look(world)
    assert "| medium | fix&#95;branches |" in done.summary, f"the shallow clone doesn't see it: {done.summary}"


def test_broken_journal(world):
    """Exit code 5 fails the step; the issue is opened all the same."""
    begin(world)
    line = world.show(JOURNAL)
    world.push_files({JOURNAL: line.replace('"GREEN"', '"BLACK"')}, "Nobody will notice")
    done = look(world)
    equal((done.returncode, done.kept.returncode), (5, 0), f"exit codes ({done.text}{done.kept.text})")
    assert "Policy alert: journal_broken" in [issue["title"] for issue in issues(world)], issues(world)
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy alerts [skip ci]", "subject")


def test_malformed_configuration(world):
    """Exit code 1 fails the step, after the steps that it must not stop."""
    begin(world, **{"policy/alerts.json": "{", BRAKE: "broken"})
    done = look(world)
    equal((done.returncode, done.kept.returncode), (1, 0), f"exit codes ({done.text}{done.kept.text})")
    equal(len(issues(world)), 1, "issues")


def test_no_report(world):
    """A program that can't start: every issue stays as it is."""
    begin(world, **{BRAKE: "broken"})
    look(world)
    executable(world.tools / "policy-orchestrator", "exit 1\n")
    done = look(world)
    equal((done.returncode, done.kept.returncode, len(issues(world))), (1, 1, 1), "exit codes and issues")
    assert "::error::there is no report" in done.kept.text, done.kept.text


def test_gh_fails(world):
    """What could not be told today is told tomorrow."""
    begin(world, **{BRAKE: "broken"})
    for call in ("issue create", "issue list", "label create"):
        (world.gh / "fail").write_text(call)
        done = look(world)
        assert done.kept.returncode != 0, f"{call} failed and nobody saw it"
    (world.gh / "fail").unlink()
    equal((look(world).kept.returncode, len(issues(world))), (0, 1), "exit code and issues")


def test_other_issues(world):
    """An issue with the label that no alert is about, and one without the label, are left alone."""
    others = [{"number": 1, "title": "Better alerts", "body": None, "labels": ["policy-alert"], "state": "open", "comments": []},
              {"number": 2, "title": "Policy alert: red_flips", "body": "", "labels": [], "state": "open", "comments": []}]
    (world.gh / "issues.json").write_text(json.dumps(others))
    begin(world)
    equal(look(world).kept.returncode, 0, "exit code")
    equal(issues(world), others, "issues")


def test_text_is_no_command(world):
    """What a report says is neither a command of the shell nor one of the workflow, and mentions nobody."""
    begin(world, **{BRAKE: "broken"})
    done = look(world)
    path = world.directory / f"{done.clone.name}-temp/alerts.json"
    report = json.loads(path.read_text())
    odd = "$(touch hacked) `touch hacked`\n::error::x @everybody | <img> ' \""
    report["alerts"][0] |= {"message": odd, "evidence": {"why": odd}}
    path.write_text(json.dumps(report))
    kept = world.run("Keep the issues", done.clone)
    equal(kept.returncode, 0, f"exit code ({kept.text})")
    assert "\n::error" not in kept.text and not (done.clone / "hacked").exists(), kept.text
    (issue,) = issues(world)
    lines = [line for line in issue["body"].splitlines() if "everybody" in line]
    assert len(lines) == 2 and all(line.startswith("    ") for line in lines), issue["body"]
    row = kept.files["GITHUB_STEP_SUMMARY"].split("critical", 1)[1].splitlines()[0]
    assert "&#64;everybody &#124; &#60;img&#62;" in row, row


def test_unknown_keeps_its_issue(world):
    """What nobody could look at is not resolved."""
    begin(world, **{BRAKE: "broken"})
    done = look(world)
    path = world.directory / f"{done.clone.name}-temp/alerts.json"
    report = json.loads(path.read_text()) | {"alerts": [], "unknown": ["brake_unreadable"]}
    path.write_text(json.dumps(report))
    kept = world.run("Keep the issues", done.clone)
    equal((kept.returncode, len(issues(world))), (0, 1), f"exit code and open issues ({kept.text})")
    assert "Nobody could look at: brake&#95;unreadable" in kept.files["GITHUB_STEP_SUMMARY"], kept.files


def test_rival(world):
    begin(world, **{BRAKE: "broken"})
    clone = world.checkout()
    world.rival(clone, 2, "policy-orchestrator run >/dev/null")
    done = look(world, clone)
    equal(done.returncode, 0, f"exit code ({done.text})")
    assert "attempt 3 of 5" in done.text, done.text
    equal(len(world.show(LOG).splitlines()), 1, "lines of the log")
    equal(len(issues(world)), 1, "issues")
    world.verify()


def test_rival_always(world):
    begin(world, **{BRAKE: "broken"})
    clone = world.checkout()
    world.rival(clone, 99, "echo more >>notes.txt")
    done = look(world, clone)
    equal((done.returncode, len(issues(world))), (1, 1), "exit code, and the issue all the same")
    assert "::error::the record could not be pushed" in done.text, done.text


def test_environment(world):
    begin(world)
    world.token_seen.write_text("")
    look(world)
    seen = world.token_seen.read_text().split()
    assert seen and not {"PUSH_TOKEN", "GH_TOKEN", "POLICY_AUDIT_SECRET", "POLICY_ALERT_WEBHOOK_URL"} & set(seen), seen
    world.context["secrets.POLICY_ALERT_WEBHOOK_URL"] = "https://example.invalid/x"
    look(world)
    assert "POLICY_ALERT_WEBHOOK_URL" in world.token_seen.read_text().split(), "the address was not passed on"


RUNS = (test_nothing_up, test_open_update_close, test_medium_opens_nothing, test_fix_branch_is_seen, test_broken_journal,
        test_malformed_configuration, test_no_report, test_gh_fails, test_other_issues, test_text_is_no_command,
        test_unknown_keeps_its_issue, test_rival, test_rival_always, test_environment)
