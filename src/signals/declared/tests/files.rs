//! Declared signals and files as such: absent, no file at all, long, mutilated; the age of one.

use proptest::prelude::*;

use super::*;
use crate::ids::Digest;
use crate::signals::history;

#[test]
fn the_age_of_a_file_as_a_whole() {
    let bench = Bench::new();
    let signal = declared(Source::File, Kind::Age);
    assert_eq!(told(&bench.read(&signal)), "missing: f is not there");
    for content in ["", "whatever \0"] {
        bench.holds(content.as_bytes());
        let file = std::fs::File::options()
            .write(true)
            .open(bench.directory.path().join("f"))
            .unwrap();
        let changed = |seconds: i64| {
            let epoch = std::time::SystemTime::UNIX_EPOCH;
            let since = std::time::Duration::from_secs(seconds.unsigned_abs());
            file.set_modified(epoch + since).unwrap();
            let reading = bench.read(&signal);
            assert_complete(&reading);
            told(&reading)
        };
        let now = at().unix_seconds();
        assert_eq!(changed(now - 90), "Age(90)");
        assert_eq!(changed(now), "Age(0)");
        assert_eq!(changed(now + 90), "Age(0) (TIME_IN_FUTURE f)");
        let source = bench.read(&signal).sources.remove(0);
        assert_eq!(source.sha256, Digest::of(b""));
        assert_eq!(source.from.unwrap_or(0), content.len() as u64);
    }
}

fn every_source() -> Vec<Declared> {
    vec![
        json("/v", Kind::Percent),
        jsonl("/v", Kind::Percent),
        csv("v", Kind::Percent),
        window(),
        declared(Source::File, Kind::Age),
    ]
}

#[test]
fn what_is_no_file_is_refused_and_what_is_not_there_is_missing() {
    let bench = Bench::new();
    for declared in every_source() {
        let reading = bench.read(&declared);
        assert_eq!(told(&reading), "missing: f is not there");
        assert_eq!(reading.sources, []);
    }
    let path = bench.directory.path().join("f");
    std::fs::create_dir(&path).unwrap();
    for declared in every_source() {
        assert_eq!(told(&bench.read(&declared)), "FILE_NOT_REGULAR f");
    }
    std::fs::remove_dir(&path).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for declared in every_source() {
        assert_eq!(told(&bench.read(&declared)), "FILE_NOT_REGULAR f");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let bench = Bench::new();
    bench.holds(format!("{{\"v\":\"{}\"}}\n", "x".repeat(200_000)).as_bytes());
    let codes: Vec<_> = every_source()
        .iter()
        .map(|declared| told(&bench.read_within(declared, 1000)))
        .collect();
    let [json, jsonl, csv, window, _] = codes.try_into().unwrap();
    assert_eq!(json, "FILE_TOO_LARGE f");
    assert_eq!(jsonl, "LINE_TOO_LONG f");
    assert_eq!(csv, "LINE_TOO_LONG f:1");
    assert_eq!(window, "LINE_TOO_LONG f");
}

/// A long file is read from its end: what stands before is not even looked at, and the digest
/// begins where that part begins.
#[test]
fn only_the_end_of_a_long_file_is_read() {
    let bench = Bench::new();
    let garbage = b"garbage\n".repeat(100_000);
    let last = b"{\"v\":50}\n";
    bench.holds(&[&garbage[..], last].concat());
    let reading = bench.read(&jsonl("/v", Kind::Percent));
    assert_eq!(told(&reading), "Percent(Percent(50.0))");
    assert_eq!(reading.sources[0].from, Some(garbage.len() as u64));
    assert_eq!(reading.sources[0].sha256, Digest::of(last));

    let old = b"{\"meta\":{\"when\":\"2025-01-01T00:00:00Z\"}}\n".repeat(10_000);
    assert!(old.len() as u64 > history::OLD_ENOUGH);
    let new = b"{\"meta\":{\"when\":\"2026-01-15T11:00:00Z\"}}\n";
    bench.holds(&[&garbage[..], &old, new].concat());
    let reading = bench.read(&window());
    assert_eq!(told(&reading), "Count(1)");
    assert_eq!(
        reading.sources[0].from,
        Some((garbage.len() + old.len()) as u64)
    );
    assert_eq!(reading.sources[0].sha256, Digest::of(new));

    bench.holds(&[&last[..], &b"\n".repeat(300_000)].concat());
    let reading = bench.read(&jsonl("/v", Kind::Percent));
    assert!(
        told(&reading).starts_with("LINE_NOT_OBJECT f:"),
        "{reading:?}"
    );
    assert_complete(&reading);
}

/// Behind 16 MiB a finding names a byte: counting the lines would cost what the file is long.
#[test]
fn far_into_a_file_a_finding_names_a_byte() {
    let bench = Bench::new();
    let before = b"0123456789abcde\n".repeat(1024 * 1024 + 1);
    bench.holds(&[&before[..], b"{\"v\":250}\n"].concat());
    let reading = bench.read(&jsonl("/v", Kind::Percent));
    assert_eq!(
        told(&reading),
        format!("VALUE_RANGE f at `byte {}, /v`", before.len())
    );
}

fn seeds() -> Vec<&'static [u8]> {
    vec![
        br#"{"v":97.5,"t":"2026-01-15T11:00:00Z","l":[1,{"v":null}]}"#,
        b"{\"v\":1}\n{\"v\":\"2%\",\"meta\":{\"when\":\"2026-01-15T11:00:00Z\"}}\n{\"v\":3",
        b"t,v\n2026-01-15T11:00:00Z,97.5\n\"a\nb\",\"9\"\"5\"\n# end\n",
        b"\xef\xbb\xbf{\"v\":\"ok\"}\r\n\r\n",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever the bytes, a reading comes out, and every finding in it is complete.
    #[test]
    fn no_file_is_too_odd(
        seed in 0_usize..4,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:#\n\r\0\xef\xbb\xbf\xff0-9.e%\\~/ ntf".to_vec()), 0_u8..3), 0..12),
        kind in 0_usize..6,
    ) {
        let mut bytes = seeds()[seed].to_vec();
        for (index, byte, edit) in edits {
            let at = index.index(bytes.len() + 1);
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at.max(bytes.len() / 2)),
            }
        }
        let kind = [Kind::Percent, number("%", Some(0.0), None), Kind::Boolean, choice(), Kind::Count, Kind::Age][kind].clone();
        let bench = Bench::new();
        bench.holds(&bytes);
        let signals = [
            with_time(json("/v", kind.clone()), "/t"),
            json("/l/1/v", kind.clone()),
            json("", kind.clone()),
            with_time(jsonl("/v", kind.clone()), "/meta/when"),
            jsonl("", kind.clone()),
            with_time(csv("v", kind), "t"),
            window(),
        ];
        for signal in signals {
            let reading = bench.read(&signal);
            assert_complete(&reading);
            prop_assert!(matches!(&reading.outcome, Outcome::Valid(_) | Outcome::Missing(_)) || !reading.errors().is_empty());
        }
    }
}
