//! What stands before the layers.

use proptest::prelude::*;

use super::*;
use crate::policy::Level;
use crate::time::Timestamp;

fn around(level: Option<Level>) -> Circumstances {
    Circumstances::undisturbed(Timestamp::EPOCH, level)
}

fn codes_of(request: &str, around: &Circumstances) -> Vec<String> {
    let request = Request::parse(request.as_bytes()).unwrap();
    let envelope = Policies::none().decide(&request, Known::default(), around);
    assert!(!envelope.is_allowed());
    envelope
        .reason_codes
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_is_published_needs_a_level_that_is_known_and_not_red() {
    let green = around(Some(Level::GREEN));
    for action in ["promote", "publish", "deploy", "release"] {
        let request = format!("{{\"action\":\"{action}\"}}");
        for (level, code) in [
            (Some(Level::GREEN), None),
            (Some(Level::YELLOW), None),
            (Level::parse("ORANGE"), Some("LEVEL_TOO_HIGH")),
            (Some(Level::RED), Some("LEVEL_TOO_HIGH")),
            (None, Some("LEVEL_UNKNOWN")),
        ] {
            let expected: Vec<_> = code.into_iter().chain(["NO_POLICY_APPLIES"]).collect();
            assert_eq!(codes_of(&request, &around(level)), expected, "{action}");
        }
    }
    assert_eq!(
        codes_of("{\"action\":\"read\"}", &around(None)),
        ["NO_POLICY_APPLIES"]
    );
    assert_eq!(codes_of("{}", &green), ["NO_POLICY_APPLIES"]);
}

#[test]
fn the_kill_switch_comes_first_and_unknown_members_second() {
    let stopped = Circumstances {
        stopped: true,
        explain: true,
        ..around(None)
    };
    assert_eq!(
        codes_of("{\"unheard_of\":1}", &stopped),
        ["KILL_SWITCH_ACTIVE"]
    );
    assert_eq!(
        codes_of("{\"unheard_of\":1,\"action\":\"promote\"}", &around(None)),
        ["REQUEST_FIELD_UNKNOWN"]
    );
}

#[test]
fn policies_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policies>();
}

proptest! {
    #[test]
    fn nothing_is_allowed_without_a_policy(text in "\\{(\"(action|user|id)\":(\"[a-z]{0,8}\"|1|null))?\\}") {
        let request = Request::parse(text.as_bytes()).unwrap();
        let envelope = Policies::none().decide(&request, Known::default(), &around(Some(Level::GREEN)));
        prop_assert!(!envelope.is_allowed());
        prop_assert!(!envelope.reason_codes.is_empty());
    }
}
