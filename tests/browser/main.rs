//! The portal in a real browser: what it shows, what it must never show, and how it can be used.
//!
//! They are run with POLICY_REQUIRE_BROWSER=1, and then fail where no Chromium is; else they say that
//! they were skipped. Pictures are kept in target/screenshots. axe-core is taken from target/axe, where `.ci/run` installs it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that fails should stop, changes files as other programs do, and says what it skips"
)]

mod driver;
mod world;

use std::time::Duration;

use serde_json::{Value, json};

use driver::{Browser, target};
use world::{World, ago, data, state};

const SECOND: Duration = Duration::from_secs(1);
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const RIGHT: &str = "\u{e014}";

/// Opens the page and waits until it has drawn.
fn open(browser: &Browser, world: &World) {
    browser.open(&world.url);
    browser.wait_for(
        "document.documentElement.dataset.drawn !== undefined",
        10 * SECOND,
    );
}

fn badge_colour(browser: &Browser) -> Value {
    browser.run("return getComputedStyle(document.getElementById('badge')).backgroundColor")
}

#[test]
fn portal_shows_each_level_in_its_colour() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    world.data(&data());
    for (level, colour) in [
        ("RED", "rgb(239, 68, 68)"),
        ("YELLOW", "rgb(245, 158, 11)"),
        ("ORANGE", "rgb(245, 158, 11)"),
        ("GREEN", "rgb(16, 185, 129)"),
    ] {
        world.state(&state(level));
        open(&browser, &world);
        assert_eq!(browser.text("#badge-text"), level);
        assert_eq!(badge_colour(&browser), colour, "{level}");
        assert_eq!(browser.text("h1"), "System Policy Status");
        let evaluated = state(level)["evaluated_at"].as_str().unwrap()[..16].replace('T', " ");
        assert!(browser.text("#evaluated").ends_with(" UTC"));
        assert_eq!(browser.text("#evaluated")[..10], evaluated[..10]);
        let lock = if level == "RED" {
            "🔒 LOCKED"
        } else {
            "🔓 Unlocked"
        };
        assert_eq!(browser.text("#trust"), lock);
        assert_eq!(browser.text("#forecast"), "MEDIUM");
    }
    let link = browser.run("return [...document.links].find((link) => link.innerText.startsWith('View Policy Details')).getAttribute('href')");
    assert_eq!(link, "../state/policy_state.json");
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn portal_is_grey_wherever_it_does_not_know() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    let with = |change: fn(&mut Value)| {
        let mut state = state("GREEN");
        change(&mut state);
        state.to_string()
    };
    let cases: [(&str, Option<String>, &str); 12] = [
        ("no file", None, "no such file is there"),
        (
            "27 hours old",
            Some(with(|state| state["evaluated_at"] = json!(ago(27.0)))),
            "27 hours old",
        ),
        (
            "malformed",
            Some("{\"policy\": \"GREEN\", ".to_owned()),
            "it is no JSON",
        ),
        ("empty", Some(String::new()), "it is no JSON"),
        ("a list", Some("[]".to_owned()), "it holds no object"),
        (
            "newer",
            Some(with(|state| state["schema"] = json!(2))),
            "newer version (2)",
        ),
        (
            "no version",
            Some(with(|state| state["schema"] = json!("1"))),
            "nobody knows its version",
        ),
        (
            "no level",
            Some(with(|state| state["policy"] = Value::Null)),
            "it names no level",
        ),
        (
            "a level that is none",
            Some(with(|state| state["policy"] = json!("green"))),
            "it names no level",
        ),
        (
            "no time",
            Some(with(|state| state["evaluated_at"] = json!("yesterday"))),
            "when it was evaluated",
        ),
        (
            "of tomorrow",
            Some(with(|state| state["evaluated_at"] = json!(ago(-24.0)))),
            "ahead of this machine",
        ),
        (
            "of a given time",
            Some(with(|state| state["given_clock"] = json!(true))),
            "never counts as fresh",
        ),
    ];
    for (name, file, words) in cases {
        // A good one first, in the very page: what it showed must not stand.
        world.state(&state("GREEN"));
        open(&browser, &world);
        assert_eq!(browser.text("#badge-text"), "GREEN", "{name}");
        match &file {
            Some(text) => world.write("policy_state.json", text),
            None => world.remove("policy_state.json"),
        }
        browser.run("document.dispatchEvent(new Event('visibilitychange'))");
        browser.wait_for(
            "document.documentElement.dataset.drawn === '2'",
            10 * SECOND,
        );
        assert_eq!(browser.text("#badge-text"), "—", "{name}");
        assert_eq!(badge_colour(&browser), "rgb(107, 114, 128)", "{name}");
        let sentence = browser.text("#sentence");
        assert!(sentence.contains(words), "{name}: {sentence}");
        assert!(!browser.text("main").contains("GREEN"), "{name}");
        assert!(!browser.text("#announce").contains("GREEN"), "{name}");
        let title = browser.run("return document.title");
        assert_eq!(title, "— · System Policy Status", "{name}");
    }
}

#[test]
fn portal_is_grey_when_its_server_is_gone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    world.state(&state("GREEN"));
    open(&browser, &world);
    drop(world);
    browser.run("document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait_for(
        "document.documentElement.dataset.drawn === '2'",
        20 * SECOND,
    );
    assert_eq!(browser.text("#badge-text"), "—");
    assert!(browser.text("#sentence").contains("can’t be reached"));
}

#[test]
fn portal_follows_the_file_within_its_fifteen_seconds() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    world.state(&state("GREEN"));
    world.data(&data());
    open(&browser, &world);
    assert_eq!(browser.text("#announce"), "The level is GREEN.");
    world.state(&state("RED"));
    // The interval, and some more for a machine that others share.
    browser.wait_for(
        "document.getElementById('badge-text').innerText === 'RED'",
        25 * SECOND,
    );
    assert_eq!(browser.text("#announce"), "The level is RED.");
    let live = browser.run("return document.getElementById('announce').getAttribute('aria-live')");
    assert_eq!(live, "polite");
}

#[test]
fn portal_shows_reasons_margins_history_and_record() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    world.state(&state("YELLOW"));
    let held = data();
    world.data(&held);
    open(&browser, &world);
    let page = browser.text("main");
    for words in [
        "integrity is 92.4, 2.6 below its line of 95",
        "responses is 5, 1 above its line of 4",
        "reputation: input missing",
        "consensus is 90.6, 0.6 above its line of 90",
        "at least 95.0",
        "reported 3 hours ago",
        "exports/integrity_metrics_registry.csv",
        "not reported",
        "Closed: approval, freeze_window",
        "3 of 3 actions ended well",
        "An apply would be blocked by: dry_run_same_plan",
        "2,211",
        "up to line 2,100",
        "1 time over 26 hours without an evaluation",
        "1 decision dated over a day ahead left out",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // The bar draws the margin: its line stands where the threshold is between the two ends.
    let drawn = browser.run(
        "const box = (name) => document.querySelector(`#why .bar ${name}`).getBoundingClientRect();
         const [value, margin, limit] = ['.value', '.margin', '.limit'].map(box);
         return [Math.abs(value.right - margin.left) < 1.5, Math.abs(margin.right - limit.left - limit.width / 2) < 1.5, margin.width > 5]",
    );
    assert_eq!(drawn, json!([true, true, true]));
    let rows = browser.run("return document.querySelectorAll('#timeline .row').length");
    assert_eq!(rows, 9, "the level, six signals, waivers, freeze windows");
    let changes = browser.run("return document.querySelectorAll('#timeline tbody tr').length");
    assert_eq!(changes, 13);
    let gaps = browser.run("return document.querySelectorAll('#timeline .gapped').length");
    assert_eq!(gaps, 1);
    // The two cards of S1-011; an override shows what it opens and until when, and not once it is over.
    let health = browser.text("#policy_as_code_health");
    for words in [
        "1 in force",
        "guard:policy/policy.yaml until ",
        "ENGAGED as of 60 minutes ago",
        "Kill switch",
    ] {
        assert!(health.contains(words), "{words}: {health}");
    }
    assert!(!health.contains("apply:over"), "{health}");
    let until = held["overrides"][0]["until"].as_str().unwrap();
    let until = until.replace('T', " ")[..16].to_owned();
    assert!(health.contains(&until), "{until}: {health}");
    let performance = browser.text("#policy_as_code_performance");
    for words in [
        "4.2 ms in the middle, 12 ms at most, of the last 3",
        "23.2, 2,088 in 90 days",
        "2 % of the evaluations of 90 days, 25 % of the last 7",
    ] {
        assert!(performance.contains(words), "{words}: {performance}");
    }
    // Another run's data are named as that.
    let mut other = data();
    other["head"]["sha256"] = json!("d".repeat(64));
    world.data(&other);
    open(&browser, &world);
    assert!(browser.text("#notices").contains("another run"));
    let mut broken = state("RED");
    broken["journal"]["broken"] = json!(true);
    world.state(&broken);
    open(&browser, &world);
    assert!(browser.text("#record").contains("BROKEN"));
}

#[test]
fn portal_fits_every_screen_in_both_themes_and_axe_finds_nothing() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let axe = axe();
    let world = World::new();
    for scheme in ["light", "dark"] {
        for level in ["GREEN", "YELLOW", "RED", "stale", "missing"] {
            world.data(&data());
            match level {
                "missing" => {
                    world.remove("policy_state.json");
                    world.remove("portal_data.json");
                }
                "stale" => {
                    let mut old = state("YELLOW");
                    old["evaluated_at"] = json!(ago(27.5));
                    world.state(&old);
                }
                _ => world.state(&state(level)),
            }
            for width in [360, 768, 1280, 2560] {
                browser.look(width, 900, scheme);
                open(&browser, &world);
                let (name, wide) = (
                    format!("{}-{width}-{scheme}", level.to_lowercase()),
                    browser.run("return document.documentElement.scrollWidth"),
                );
                browser.picture(&name, width);
                assert_eq!(wide, width, "{name} has a horizontal scroll bar");
                let background =
                    browser.run("return getComputedStyle(document.body).backgroundColor");
                let dark = background == "rgb(13, 16, 21)";
                assert_eq!(dark, scheme == "dark", "{name}: {background}");
                if let Some(axe) = &axe {
                    assert_eq!(violations(&browser, axe), Vec::<String>::new(), "{name}");
                }
            }
        }
    }
    if let Some(axe) = &axe {
        // It does find something where something is wrong.
        browser.run("document.querySelector('main').append(document.createElement('img'))");
        assert!(violations(&browser, axe)[0].starts_with("image-alt"));
    }
}

/// axe-core, where it is installed.
fn axe() -> Option<String> {
    let path = target().join("axe/node_modules/axe-core/axe.min.js");
    let Ok(axe) = std::fs::read_to_string(&path) else {
        assert!(
            std::env::var_os("POLICY_REQUIRE_BROWSER").is_none(),
            "{} is required here and absent: `.ci/run` installs it",
            path.display()
        );
        eprintln!(
            "SKIPPED: {} is not here, so nobody looked for what axe finds",
            path.display()
        );
        return None;
    };
    Some(axe)
}

fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true");
    browser.run(axe);
    let found = browser.run_async(
        "const done = arguments[arguments.length - 1];
         axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.target.join(' ') + ' ' + node.failureSummary).slice(0, 3).join(' | ')}`)), (error) => done([String(error)]))",
    );
    let found = found.as_array().unwrap().iter();
    found
        .map(|one| one.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn portal_is_walked_with_the_keyboard() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    world.state(&state("YELLOW"));
    world.data(&data());
    browser.look(1280, 900, "light");
    open(&browser, &world);
    let focused = || {
        let script = "const element = document.activeElement;
            const box = (element.nextElementSibling?.closest('.theme span') ?? element).getBoundingClientRect();
            const seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
            const ring = getComputedStyle(element.matches('.theme input') ? element.nextElementSibling : element);
            return [element.value ?? element.innerText?.trim().slice(0, 40), seen && ring.outlineStyle !== 'none']";
        browser.run(script)
    };
    let mut walked = Vec::new();
    for _ in 0..5 {
        browser.press(&[TAB]);
        // Scrolling to it takes a frame.
        std::thread::sleep(Duration::from_millis(60));
        let found = focused();
        assert_eq!(found[1], true, "no ring around {found}, behind {walked:?}");
        walked.push(found[0].as_str().unwrap_or_default().to_owned());
    }
    let expected = [
        "Skip to the status",
        "auto",
        "View Policy Details →",
        "Every change as a table",
        "1 remark of the last evaluation",
    ];
    assert_eq!(walked, expected);
    // The skip link, a details element and the theme by keys alone.
    open(&browser, &world);
    browser.press(&[TAB]);
    browser.press(&[ENTER]);
    assert_eq!(browser.run("return document.activeElement.id"), "main");
    browser.press(&[TAB]);
    browser.press(&[TAB]);
    browser.press(&[ENTER]);
    assert_eq!(
        browser.run("return document.querySelector('#timeline details').open"),
        true
    );
    // A refresh closes nothing that was opened and takes no focus away.
    world.state(&state("RED"));
    browser.run("document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait_for(
        "document.getElementById('badge-text').innerText === 'RED'",
        10 * SECOND,
    );
    assert_eq!(
        browser.run("return document.querySelector('#timeline details').open"),
        true
    );
    browser.run("document.querySelector('input[value=auto]').focus()");
    browser.press(&[RIGHT]);
    browser.press(&[RIGHT]);
    let theme = "return document.documentElement.dataset.theme";
    assert_eq!(browser.run(theme), "dark");
    open(&browser, &world);
    assert_eq!(browser.run(theme), "dark", "the choice is kept");
}

#[test]
fn portal_runs_nothing_of_what_the_files_say() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let world = World::new();
    let attacks = [
        "<img src=x onerror=\"window.ran=1\">",
        "\"><script>window.ran=1</script>",
        "javascript:window.ran=1",
        "</title><svg onload=window.ran=1>",
        "`<img src=x onerror=window.ran=1>`",
        "{{constructor.constructor('window.ran=1')()}}",
    ];
    for attack in attacks {
        // Once with a state that is shown, once where not even that is.
        let (mut shown, mut held) = (state("YELLOW"), data());
        for text in [&mut shown, &mut held] {
            spoil(text, attack, true);
        }
        let (mut all, mut all_data) = (state("YELLOW"), data());
        spoil(&mut all, attack, false);
        spoil(&mut all_data, attack, false);
        for (state, data) in [(shown, held), (all, all_data)] {
            world.state(&state);
            world.data(&data);
            open(&browser, &world);
            let made = browser.run("return [window.ran ?? null, document.querySelectorAll('main img, main script, svg[onload], [onerror], a[href^=javascript]').length]");
            assert_eq!(made, json!([null, 0]), "{attack}");
            assert_eq!(browser.console(), Vec::<String>::new(), "{attack}");
        }
    }
    let ours = |url: &String| url.starts_with(&world.url) || url.starts_with("data:");
    let elsewhere: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|url| !ours(url))
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

/// Replaces every text and key by `attack`; with `keep`, not what the page needs to show a level.
fn spoil(value: &mut Value, attack: &str, keep: bool) {
    match value {
        Value::String(text) => attack.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, attack, keep)),
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let needed = ["policy", "evaluated_at", "at", "from", "until", "last_at"];
                if !(keep && needed.contains(&key.as_str())) {
                    spoil(member, attack, keep);
                }
            }
            if let Some(readings) = members.get_mut("readings").and_then(Value::as_object_mut) {
                readings.insert(attack.to_owned(), json!({"status": attack, "note": attack}));
            }
        }
        _ => {}
    }
}
