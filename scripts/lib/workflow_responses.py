"""What scripts/workflow-test asks of the workflow that responds to decisions."""

import json
import re
import shutil

from workflow_world import (INTEGRITY, KEY, STATE, SUMMARY, WORKFLOWS, clean_env, equal, executable, sh)

LOG = "state/policy_response_log.jsonl"
PREVIEW = "state/policy_response_preview.json"
RESPONSES = "policy/responses.json"
FIX = re.compile(r"fix/policy-response-\d{14}")
# Every file that a response may record, and what its actions may change.
RECORD = re.compile(r"audit_summary\.md|state/(policy_response_.+|journal_heads\.json|segments/.+)"
                    r"|mirrors/.+|forensics/verification_log\.jsonl|notes\.txt")
SCORES = {"GREEN": "97.5", "YELLOW": "93", "RED": "80"}


# --- what the files say -------------------------------------------------------------------------

def check_triggers(workflow):
    equal(set(workflow.on), {"workflow_run", "workflow_dispatch"}, "triggers")
    before = re.search(r"^name: (.+)$", WORKFLOWS["orchestration"][workflow.name].read_text(), re.MULTILINE)[1]
    equal(workflow.on["workflow_run"], {"workflows": [before], "types": ["completed"]}, "workflow_run")
    equal(before, "Policy Orchestration", "the name that is followed")
    (name, given), = workflow.on["workflow_dispatch"]["inputs"].items()
    equal((name, given["type"], given["default"]), ("auto_apply", "boolean", False), "input")


def check_condition(workflow):
    """The expression of the job, read as Python."""
    run = "github.event.workflow_run."
    usual = {"github.ref_type": "branch", "github.event_name": "workflow_run", "github.repository": "people/signals",
             "github.event.repository.default_branch": "main", run + "conclusion": "success", run + "event": "schedule",
             run + "head_repository.full_name": "people/signals", run + "head_branch": "main"}

    def holds(**changed):
        values = usual | {key if key.startswith("github") else run + key: value
                          for key, value in ((key.replace("__", "."), value) for key, value in changed.items())}
        text = re.sub(r"github[\w.]+", lambda name: repr(values[name[0]]), workflow.job["if"])
        return eval(text.replace("&&", " and ").replace("||", " or ").replace("\n", " "))  # noqa: S307 our own file

    assert holds(), "a scheduled run is not followed"
    assert holds(event="workflow_dispatch"), "a run by hand is not followed"
    for conclusion in ("failure", "cancelled", "skipped", "timed_out"):
        assert not holds(conclusion=conclusion), f"{conclusion} is followed"
    assert not holds(head_branch="feature"), "another branch's run is followed"
    assert not holds(head_repository__full_name="someone/signals"), "a fork's run is followed"
    assert not holds(event="pull_request"), "a pull request's run is followed"
    assert holds(github__event_name="workflow_dispatch", conclusion=""), "it can't be started by hand"
    assert not holds(github__event_name="workflow_dispatch", github__ref_type="tag"), "it runs on a tag"


def check_artifacts(workflow):
    step = workflow.step("Keep what was planned and done")
    equal(step["if"], "always()", "condition")
    equal((step["with"]["retention-days"], step["with"]["if-no-files-found"]), (90, "ignore"), "retention")
    equal(step["with"]["path"].split(),
          [PREVIEW, LOG, "state/policy_response_journal.jsonl", "state/policy_response_undo_*.json", "state/undo/",
           "reports/policy_response_blocked.json", "reports/policy_response_failure.json"], "paths")


def check_failure(workflow):
    respond = workflow.step("Respond")
    equal(respond["continue-on-error"], True, "continue-on-error")
    last = workflow.steps[-1]
    equal(last["if"], f"always() && steps.{respond['id']}.outcome == 'failure'", "condition of the last step")
    assert last["run"].rstrip().endswith("exit 1"), "the last step doesn't fail"


CHECKS = (check_triggers, check_condition, check_artifacts, check_failure)


# --- a world with a decision --------------------------------------------------------------------

def decide(world, level, **files):
    """The workflow before this one: it decides, pushes, and keeps its state as an artifact."""
    world.push_files({INTEGRITY: f"timestamp,integrity_score\n2026-01-01T00:00:00Z,{SCORES[level]}\n",
                      "forensics/safety_brake_state.json": '{"is_engaged": false, "response_count_24h": 0}\n',
                      "artifacts/integrity_anchor.json": f'{{"sha": "{level}"}}\n', **files}, f"Signals for {level}")
    clone = world.checkout()
    done = world.run("Evaluate and record", clone, workflow=world.orchestration)
    equal(done.returncode, 0, f"exit code of the run before ({done.text})")
    equal(world.state()["policy"], level, "level of the run before")
    world.number = getattr(world, "number", 100) + 1
    artifact = world.gh / f"artifacts/{world.number}/policy-state-1"
    artifact.mkdir(parents=True)
    for name in ("policy_state.json", "policy_state_log.jsonl"):
        shutil.copy(clone / "state" / name, artifact)
    world.context |= {"github.event.workflow_run.id": str(world.number), "github.event.workflow_run.run_attempt": "1"}


def by_hand(world, auto_apply):
    world.context |= {"github.event.workflow_run.id": "", "github.event.workflow_run.run_attempt": "",
                      "inputs.auto_apply": auto_apply}


def respond(world, clone=None, **more):
    clone = clone or world.checkout()
    fetched = world.run("Fetch the decision", clone, **more)
    equal(fetched.returncode, 0, f"exit code of the fetch ({fetched.text})")
    done = world.run("Respond", clone, **more)
    done.clone = clone
    return done


def approved(world):
    """Nobody can approve yet, so that `--auto` is always blocked. Stands in for an approver: the real
    program applies, as by hand, and the outputs are those that it would write."""
    executable(world.tools / "policy-orchestrator", f"""
        case "$*" in *--auto*) ;; *) exec "{world.binary}" "$@" ;; esac
        test "$POLICY_AUTO_APPLY" = true
        code=0
        env -u GITHUB_ACTIONS "{world.binary}" respond --apply --format json >"$RUNNER_TEMP/report.json" || code=$?
        jq -r '"level=\\(.policy)", "outcome=\\(if .blocked then "blocked" elif .success then "applied" else "failed" end)",
          "reason=\\(.reason // "")", "fix_branch=\\(.fix_branch // "")"' "$RUNNER_TEMP/report.json" >>"$GITHUB_OUTPUT"
        echo "applied by the stand-in"
        exit "$code"
        """)


def log(world, branch="main"):
    return [json.loads(line) for line in world.show(LOG, branch).splitlines()]


def committed(world, before):
    changed = world.git("diff", "--name-only", before, "main").split()
    equal([path for path in changed if not RECORD.fullmatch(path)], [], "files that are no record")
    return changed


# --- what the blocks do -------------------------------------------------------------------------

def test_green(world):
    decide(world, "GREEN")
    before = world.tip()
    done = respond(world)
    equal((done.returncode, world.tip(), world.branches()), (0, before, []), f"exit code, tip, branches ({done.text})")
    assert "Response to GREEN: nothing to do" in done.files["GITHUB_STEP_SUMMARY"], done.files
    assert "outcome=green" in done.files["GITHUB_OUTPUT"], done.files
    assert "::warning" not in done.text, done.text


def dry_run(world, level, actions, **context):
    world.context |= context
    decide(world, level)
    before = world.tip()
    done = respond(world)
    equal((done.returncode, world.branches()), (0, []), f"exit code and branches ({done.text})")
    equal(world.git("rev-parse", "main^").strip(), before, "parent of the new commit")
    equal(world.git("log", "-1", "--format=%s", "main").strip(),
          f"Record the policy response: {level}, dry run [skip ci]", "subject")
    equal(committed(world, before), [PREVIEW], "files of the commit")
    preview = json.loads(world.show(PREVIEW))
    equal((preview["policy"], preview["mode"]), (level, "dry-run"), "preview")
    equal([result["action"] for result in preview["results"]], actions, "actions")
    summary = done.files["GITHUB_STEP_SUMMARY"]
    assert f"Response to {level}: dry run" in summary and actions[0].replace("_", "&#95;") in summary, summary
    world.verify()
    return done


def test_yellow(world):
    done = dry_run(world, "YELLOW", ["integrity_check", "schema_validation"])
    assert "::warning title=dry run::" in done.text, done.text


def test_red(world):
    dry_run(world, "RED", ["full_integrity_check", "cold_storage_verification", "integrity_anchor_mirror"])


def test_off_on_purpose(world):
    done = dry_run(world, "YELLOW", ["integrity_check", "schema_validation"], **{"vars.POLICY_AUTO_APPLY": "false"})
    assert "::warning" not in done.text, done.text


def test_other_values(world):
    """Only `true` applies: another spelling is a dry run with a warning."""
    decide(world, "RED")
    for value in ("", "True", "TRUE", "1", "yes", " true", "true ", "true\n::error::x"):
        world.context["vars.POLICY_AUTO_APPLY"] = value
        done = respond(world)
        equal(done.returncode, 0, f"exit code for {value!r}")
        assert "::warning title=dry run::POLICY_AUTO_APPLY is not exactly" in done.text, f"{value!r}: {done.text}"
        assert "::error" not in done.text, f"{value!r} is shown"
        assert "outcome=dry_run" in done.files["GITHUB_OUTPUT"] and "blocked" not in done.files["GITHUB_OUTPUT"], done.files
    assert LOG not in world.git("ls-tree", "-r", "--name-only", "main").split(), "an apply was tried"


def test_box_and_variable(world):
    """By hand the box alone decides; the variable is for runs that nobody started."""
    decide(world, "RED")
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    by_hand(world, "false")
    assert "outcome=blocked" not in respond(world).files["GITHUB_OUTPUT"], "the box was off"
    world.context["vars.POLICY_AUTO_APPLY"] = ""
    by_hand(world, "true")
    assert "outcome=blocked" in respond(world).files["GITHUB_OUTPUT"], "the box was on"


def test_blocked(world):
    """A closed gate is no failure: a warning with its reason, the record, no branch."""
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    before = world.tip()
    done = respond(world)
    equal((done.returncode, world.branches()), (0, []), f"exit code and branches ({done.text})")
    (line,) = log(world)
    equal((line["blocked"], line["policy"], line["unattended"]), (True, "RED", True), "line of the log")
    assert f"::warning title=blocked::blocked: {line['reason']}" in done.text, done.text
    assert "approver" in line["reason"], f"another gate than the approver's was closed first: {line['reason']}"
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy response: RED, blocked [skip ci]", "subject")
    changed = committed(world, before)
    assert {PREVIEW, LOG, SUMMARY, "state/journal_heads.json"} <= set(changed), changed
    assert "POLICY_RESPONSE: BLOCKED" in world.show(SUMMARY), "the marker"
    assert (done.clone / "reports/policy_response_blocked.json").is_file(), "nothing to keep as an artifact"
    summary = done.files["GITHUB_STEP_SUMMARY"]
    assert "Response to RED: blocked" in summary and "| approver |" in summary, summary
    world.verify()


def test_closed_gate(world):
    """A brake that is on shows in the dry run's summary too."""
    decide(world, "RED", **{"trust_lock_state.json": '{"locked": true}\n'})
    done = respond(world)
    equal(done.returncode, 0, "exit code")
    assert "trust&#95;guard&#95;locked" in done.files["GITHUB_STEP_SUMMARY"], done.files


def test_malformed_responses(world):
    decide(world, "RED", **{RESPONSES: "{"})
    before = world.tip()
    done = respond(world)
    equal((done.returncode, world.tip(), world.branches()), (1, before, []), f"exit code, tip, branches ({done.text})")
    assert f"::error file={RESPONSES}" in done.text, done.text


def test_no_state(world):
    by_hand(world, "false")
    done = world.run("Fetch the decision", world.checkout())
    equal(done.returncode, 1, "exit code without a state")
    assert "::error::policy_state.json is missing or names no level" in done.text, done.text
    decide(world, "RED")
    clone = world.checkout()
    shutil.rmtree(world.gh / "artifacts")
    done = world.run("Fetch the decision", clone)
    equal(done.returncode, 1, "exit code without the artifact")
    assert f"::error::the artifact policy-state-1 of run {world.number}" in done.text, done.text
    (world.gh / f"artifacts/{world.number}/policy-state-1").mkdir(parents=True)
    equal(world.run("Fetch the decision", clone).returncode, 1, "exit code with an empty artifact")
    for text in ("", "{}", '{"policy": 3}', "no JSON"):
        world.push_files({STATE: text}, "A broken state")
        by_hand(world, "false")
        equal(world.run("Fetch the decision", world.checkout()).returncode, 1, f"exit code for {text!r}")


def test_state_of_the_run_before(world):
    """Another decision came in between: that one is responded to by its own run."""
    decide(world, "RED")
    older = dict(world.context)
    decide(world, "YELLOW")
    newer = dict(world.context)
    before = world.tip()
    world.context |= older
    done = respond(world)
    equal((done.returncode, world.tip()), (0, before), "exit code and tip")
    assert "::warning title=superseded::" in done.text and "another decision" in done.files["GITHUB_STEP_SUMMARY"], done.text
    world.context |= newer
    assert "level=YELLOW" in respond(world).files["GITHUB_OUTPUT"], "the newer one is not responded to"


def test_rival(world):
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    clone = world.checkout()
    world.rival(clone, 2, "echo more >>notes.txt; echo more >>audit_summary.md")
    done = respond(world, clone)
    equal(done.returncode, 0, f"exit code ({done.text})")
    assert "attempt 3 of 5" in done.text, done.text
    equal(len(log(world)), 1, "lines of the log: those of dropped attempts are dropped")
    equal(done.files["GITHUB_OUTPUT"].count("outcome=blocked"), 1, "outcomes in the output")
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy response: RED, blocked [skip ci]", "subject")
    world.verify()


def test_rival_decision(world):
    """Somebody decides anew while the response is pushed: what was responded to is over."""
    decide(world, "RED")
    clone = world.checkout()
    world.rival(clone, 1, "policy-orchestrator run >/dev/null")
    done = respond(world, clone)
    equal(done.returncode, 0, f"exit code ({done.text})")
    assert "::warning title=superseded::" in done.text, done.text
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Somebody else was first", "tip")


def test_rival_always(world):
    decide(world, "RED")
    clone = world.checkout()
    world.rival(clone, 99, "echo more >>notes.txt")
    done = respond(world, clone)
    equal(done.returncode, 1, "exit code")
    assert "::error::the record could not be pushed" in done.text, done.text


def test_applied(world):
    """With a stand-in for the approver: record and effects are on the branch."""
    approved(world)
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    before = world.tip()
    done = respond(world)
    equal((done.returncode, world.branches()), (0, []), f"exit code and branches ({done.text})")
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy response: RED, applied [skip ci]", "subject")
    (line,) = log(world)
    equal((line["blocked"], line["actions_succeeded"]), (False, 3), "line of the log")
    changed = committed(world, before)
    assert "mirrors/anchor_chain.json" in changed, f"the effect is not on the branch: {changed}"
    assert any(path.startswith("state/policy_response_undo_") for path in changed), changed
    assert not any(path.startswith("state/undo/") for path in changed), "kept bytes are on the branch"
    assert (done.clone / "state/undo").is_dir(), "nothing to keep as an artifact"
    assert "POLICY_RESPONSE: APPLIED" in world.show(SUMMARY), "the marker"
    world.verify()


def test_applied_and_rival(world):
    """What was done is not done again: its record moves on top of what somebody else pushed."""
    approved(world)
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    clone = world.checkout()
    world.rival(clone, 2, "policy-orchestrator run >/dev/null")
    done = respond(world, clone)
    equal(done.returncode, 0, f"exit code ({done.text})")
    assert "moving the record (attempt 3 of 5)" in done.text, done.text
    equal(done.text.count("applied by the stand-in"), 1, "applies")
    equal((len(log(world)), len(world.lines())), (1, 3), "lines of both journals")
    equal(world.branches(), [], "branches")
    world.verify()


def test_applied_and_other_response(world):
    """Two journals of responses are never merged: the record is kept on a branch, and the job fails."""
    approved(world)
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    clone = world.checkout()
    world.rival(clone, 1, "env -u GITHUB_ACTIONS policy-orchestrator respond --apply >/dev/null || true")
    done = respond(world, clone)
    equal(done.returncode, 1, f"exit code ({done.text})")
    (kept,) = world.branches()
    assert FIX.fullmatch(kept) and f"it is on the branch {kept}" in done.text, done.text
    equal(len(log(world, kept)), 1, "lines of the log on the branch")
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Somebody else was first", "tip")
    world.verify()


def test_failed_action(world):
    """A failing action: fix branch and record are pushed, the step fails; one branch for one failure."""
    approved(world)
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    failing = {"schema": 1, "builtin": False, "actions": [
        {"name": "note", "level": "RED", "argv": ["/bin/sh", "-c", "echo x >>notes.txt"], "changes": ["notes.txt"]},
        {"name": "fails", "level": "RED", "argv": ["/bin/false"]}]}
    decide(world, "RED", **{RESPONSES: json.dumps(failing)})
    before = world.tip()
    done = respond(world)
    equal(done.returncode, 1, f"exit code ({done.text})")
    (fix,) = world.branches()
    assert FIX.fullmatch(fix), f"the branch is called {fix}"
    equal(world.git("rev-parse", f"{fix}^").strip(), before, "parent of the fix branch")
    failure = json.loads(world.show("reports/policy_response_failure.json", fix))
    equal(failure["success"], False, "diagnostics")
    equal(world.git("log", "-1", "--format=%s", "main").strip(), "Record the policy response: RED, failed [skip ci]", "subject")
    assert "notes.txt" in committed(world, before), "what an action changed is not on the branch"
    assert "POLICY_RESPONSE: FAILED" in world.show(SUMMARY), "the marker"
    equal(log(world)[-1]["branch"], fix, "branch in the log")
    world.verify()
    decide(world, "RED", **{"more.txt": "x\n"})
    equal(respond(world).returncode, 1, "exit code of the next day")
    equal((len(log(world)), world.branches()), (2, [fix]), "lines, and one branch for one failure")
    world.verify()


def test_environment(world):
    """Neither the program nor .git/config sees the token; an empty secret is none."""
    decide(world, "RED")
    world.token_seen.write_text("")
    respond(world)
    seen = world.token_seen.read_text().split()
    assert "GITHUB_OUTPUT" in seen and "PUSH_TOKEN" not in seen and "POLICY_AUDIT_SECRET" not in seen, seen
    config = (world.directory / f"runner-{world.count}/.git/config").read_text()
    assert "the-token" not in config, "a secret is in .git/config"


def test_signed(world):
    world.secret = KEY
    world.context["vars.POLICY_AUTO_APPLY"] = "true"
    decide(world, "RED")
    equal(respond(world).returncode, 0, "exit code")
    assert log(world)[0]["hmac"], "the line is not signed"
    world.verify(POLICY_AUDIT_SECRET=KEY)


RUNS = (test_green, test_yellow, test_red, test_off_on_purpose, test_other_values, test_box_and_variable, test_blocked,
        test_closed_gate, test_malformed_responses, test_no_state, test_state_of_the_run_before, test_rival,
        test_rival_decision, test_rival_always, test_applied, test_applied_and_rival, test_applied_and_other_response,
        test_failed_action, test_environment, test_signed)
