//! The peers' reputation: `federation/reputation_index.json`.
//!
//! Five shapes are in the field (row D-03): `peers[].reputation_score`, `scores[].score`, and a
//! top-level `score`, `mean_score` or `average_reputation`. The value is the mean; where shapes
//! stand side by side and differ, the lowest counts. One peer without a usable score makes the
//! file invalid: a mean over the others would hide it (row B-22).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Document, Member, Parsed, Said, member};
use super::{Percent, ReadContext, Reading, Value};
use crate::diagnostic::{Code, Diagnostic, Warnings};
use crate::ids::SignalName;

/// The file of this signal.
pub const FILE: &str = "federation/reputation_index.json";

/// The members that list peers.
const LISTS: [&str; 2] = ["$.peers", "$.scores"];

/// More findings than this in one file help nobody.
const ENOUGH: usize = 20;

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    peers: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    scores: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    score: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    mean_score: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    average_reputation: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    timestamp: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    generated_at: Member<'a>,
}

#[derive(Deserialize)]
struct RawPeer<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    reputation_score: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    score: Member<'a>,
}

/// Collects what one pass over the document finds.
struct Pass<'d, 'a> {
    document: &'d Document<'a>,
    warnings: Warnings,
    errors: Vec<Diagnostic>,
    /// Every value that the document names, with its path.
    values: Vec<(Percent, &'static str)>,
    empty_list: bool,
}

/// Parses the file.
pub fn parse(document: &Document<'_>) -> Result<Parsed, Vec<Diagnostic>> {
    let raw: Raw<'_> = document.object().map_err(|error| vec![*error])?;
    let mut pass = Pass {
        document,
        warnings: Warnings::default(),
        errors: Vec::new(),
        values: Vec::new(),
        empty_list: false,
    };
    pass.list(raw.peers, "$.peers", |peer| {
        (peer.reputation_score, "reputation_score")
    });
    pass.list(raw.scores, "$.scores", |peer| (peer.score, "score"));
    pass.single(raw.score, "$.score");
    pass.single(raw.mean_score, "$.mean_score");
    pass.single(raw.average_reputation, "$.average_reputation");
    let observed_at = document.observed_at(
        &[
            (raw.timestamp, "$.timestamp"),
            (raw.generated_at, "$.generated_at"),
        ],
        &mut pass.warnings,
    );
    let said = pass.said()?;
    Ok(Parsed {
        said,
        observed_at,
        warnings: pass.warnings,
    })
}

impl<'a> Pass<'_, 'a> {
    fn single(&mut self, member: Member<'a>, path: &'static str) {
        let Some(raw) = member else { return };
        match self.document.percent(raw, path, &mut self.warnings) {
            Ok(percent) => self.values.push((percent, path)),
            Err(error) => self.errors.push(*error),
        }
    }

    /// The mean over a list of peers; `score_of` picks the member and names the key.
    fn list(
        &mut self,
        member: Member<'a>,
        path: &'static str,
        score_of: fn(RawPeer<'a>) -> (Member<'a>, &'static str),
    ) {
        let Some(raw) = member else { return };
        let (mut sum, mut count) = (0.0, 0_u32);
        let document = self.document;
        let walked = document.each_of(raw, path, &mut |index, element| {
            count += 1;
            if let Some(percent) = self.peer(element, &format!("{path}[{index}]"), score_of) {
                sum += percent.get();
            }
        });
        if let Err(error) = walked {
            self.errors.push(*error);
            return;
        }
        if count == 0 {
            self.empty_list = true;
            return;
        }
        // A mean of percentages is one, but for the last bit of the sum.
        // Rounded to a thousand-millionth, so that a mean of exactly 80 is not a bit below it.
        let mean = ((sum / f64::from(count)) * 1e9).round() / 1e9;
        let mean = mean.clamp(0.0, 100.0);
        if let Some(mean) = Percent::new(mean) {
            self.values.push((mean, path));
        }
    }

    fn peer(
        &mut self,
        element: &'a RawValue,
        path: &str,
        score_of: fn(RawPeer<'a>) -> (Member<'a>, &'static str),
    ) -> Option<Percent> {
        // The file is refused already, and well explained.
        if self.errors.len() >= ENOUGH {
            return None;
        }
        let document = self.document;
        let percent = document.object_at(element, path).and_then(|peer| {
            let (member, key) = score_of(peer);
            match member {
                Some(raw) => document.percent(raw, &format!("{path}.{key}"), &mut self.warnings),
                None => Err(Box::new(self.without_score(element, path, key))),
            }
        });
        percent.map_err(|error| self.errors.push(*error)).ok()
    }

    fn without_score(&self, element: &RawValue, path: &str, key: &str) -> Diagnostic {
        Diagnostic::new(
            Code::KeyMissing,
            self.document.place(element.get(), path),
            "a peer has no score",
        )
        .found("a peer without it")
        .expected(format!("the key `{key}` with a number from 0 to 100"))
        .help(
            "a mean over the others would hide this peer: give it a score or take it off the list",
        )
    }

    fn said(&mut self) -> Result<Said, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            return Err(std::mem::take(&mut self.errors));
        }
        // An empty list is a source that had nobody to ask, whatever mean it names beside it.
        if self.empty_list && !self.values.iter().any(|(_, path)| LISTS.contains(path)) {
            return Ok(Said::Nothing("its list of peers is empty".to_owned()));
        }
        let lowest = self
            .values
            .iter()
            .copied()
            .reduce(|low, next| if next.0 < low.0 { next } else { low });
        let Some((lowest, path)) = lowest else {
            return Err(vec![self.document.key_missing("`peers` with a `reputation_score` each, `scores` with a `score` each, or a `score`")]);
        };
        if let Some((other, place)) = self
            .values
            .iter()
            .find(|(value, _)| (value.get() - lowest.get()).abs() > 1e-6)
        {
            let document = self.document;
            self.warnings.add(|| {
                Diagnostic::new(
                    Code::SourcesDisagree,
                    document.here().path(path),
                    "two places name the reputation and differ; the lowest counts",
                )
                .found(format!(
                    "{} here, {} at `{place}`",
                    lowest.get(),
                    other.get()
                ))
                .expected("one place, or places that agree")
                .help("let the engine write one shape")
            });
        }
        Ok(Said::Value(Value::Percent(lowest)))
    }
}

/// Reads the file.
pub fn load(context: ReadContext<'_>) -> Reading {
    json::load(SignalName::REPUTATION, FILE, parse, context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Status;

    fn read(text: &str) -> Reading {
        json::from_bytes(SignalName::REPUTATION, FILE, text.as_bytes(), parse)
    }

    #[test]
    fn all_five_shapes_are_read() {
        let cases = [
            r#"{"peers":[{"reputation_score":70},{"reputation_score":80}]}"#,
            r#"{"scores":[{"score":70},{"score":80}]}"#,
            r#"{"score":75}"#,
            r#"{"mean_score":75.0}"#,
            r#"{"average_reputation":75}"#,
            r#"{"peers":[],"scores":[{"score":75}]}"#,
            r#"{"mean_score":90,"scores":[{"score":75}]}"#,
        ];
        for text in cases {
            assert_eq!(
                read(text).value().map(|value| value.to_string()).as_deref(),
                Some("75.0"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_peer_without_a_usable_score_spoils_the_file_and_all_are_named() {
        let reading = read(
            r#"{"peers":[{"reputation_score":70},{},{"reputation_score":null},{"reputation_score":101}]}"#,
        );
        let places: Vec<_> = reading
            .errors()
            .iter()
            .map(|error| error.place.path.clone().unwrap())
            .collect();
        assert_eq!(
            places,
            [
                "$.peers[1]",
                "$.peers[2].reputation_score",
                "$.peers[3].reputation_score"
            ]
        );
    }

    #[test]
    fn an_empty_list_is_missing_and_other_content_is_invalid() {
        assert_eq!(read(r#"{"peers":[]}"#).status(), Status::Missing);
        assert_eq!(read(r#"{"peer":[]}"#).status(), Status::Invalid);
        assert_eq!(read(r#"{"peers":{}}"#).status(), Status::Invalid);
    }
}
