//! The conditions of a policy document that look back on what was recorded: changes and medians,
//! and whether a value of their signal can ever fulfil them.

use super::Draft;
use super::shape;
use super::signals::Known;
use crate::diagnostic::Code;
use crate::policy::Condition;
use crate::policy::source::collect::Field;
use crate::policy::trigger::{Changed, Median, Side, Way, rounded};

/// How far a condition may look back: further, a run would cost more every day.
const LONGEST_LOOK: chrono::TimeDelta = chrono::TimeDelta::days(31);

impl Draft<'_> {
    pub(super) fn changed(
        &mut self,
        field: &Field<shape::Changed>,
        known: &Known,
    ) -> Option<Condition> {
        self.has_order(field, known)?;
        let changed = field.get()?;
        let more_than = self
            .required(&changed.by_more_than, "by_more_than", field.spot)
            .copied();
        let within = self
            .required(&changed.within, "within", field.spot)
            .and_then(|_| self.duration(&changed.within));
        let (more_than, within) = (more_than?, within?);
        if !(more_than.is_finite() && more_than >= 0.0) {
            self.refuse(
                &changed.by_more_than,
                Code::ValueRange,
                "no value changes by less than nothing",
                |finding| {
                    finding
                        .found(format!("{more_than}"))
                        .expected("a number from 0 on")
                        .help("say which way with `way`")
                },
            );
            return None;
        }
        self.check_room(&changed.by_more_than, more_than, known)?;
        if within > LONGEST_LOOK {
            self.refuse(
                &changed.within,
                Code::ValueRange,
                "this looks back too far",
                |finding| {
                    finding
                        .found(crate::time::in_words(within))
                        .expected("at most 31 days")
                        .help("compare with a median of recorded values for a longer view")
                },
            );
            return None;
        }
        let way = match changed.way.get() {
            Some(shape::Way::Fall) => Way::Falls,
            Some(shape::Way::Rise) => Way::Rises,
            Some(shape::Way::Either) | None => Way::Changes,
        };
        Some(Condition::Changed(Changed {
            way,
            more_than,
            within,
        }))
    }

    /// No value changes by more than from one end of its range to the other.
    fn check_room(&mut self, field: &Field<f64>, more_than: f64, known: &Known) -> Option<()> {
        let (Some(least), Some(most)) = known.sort.range() else {
            return Some(());
        };
        let furthest = rounded(most - least);
        if more_than < furthest {
            return Some(());
        }
        self.refuse(field, Code::ValueRange, "this can never fire", |finding| {
            finding
                .found(format!("by more than {more_than}"))
                .expected(format!(
                    "less than {furthest}: `{}` can be {least} to {most}",
                    known.rule.name
                ))
                .help("lower the number, or remove the trigger")
        });
        None
    }

    pub(super) fn median(
        &mut self,
        field: &Field<shape::Median>,
        known: &Known,
    ) -> Option<Condition> {
        self.has_order(field, known)?;
        let median = field.get()?;
        let last = self
            .required(&median.of_last, "of_last", field.spot)
            .copied()?;
        let last = self.problems.whole(&median.of_last, last, 3, 1_000)?;
        let (side, ratio_field) = match (median.below_ratio.get(), median.above_ratio.get()) {
            (Some(_), None) => (Side::Below, &median.below_ratio),
            (None, Some(_)) => (Side::Above, &median.above_ratio),
            (found, _) => {
                let count = if found.is_some() { "both" } else { "neither" };
                self.refuse(
                    field,
                    Code::PolicyContradiction,
                    "the line of the median is not said",
                    |finding| {
                        finding
                            .found(count)
                            .expected("one of below_ratio and above_ratio")
                            .help("add `below_ratio: 0.8`, say")
                    },
                );
                return None;
            }
        };
        let ratio = ratio_field.get().copied()?;
        if !(ratio.is_finite() && ratio > 0.0) {
            self.refuse(
                ratio_field,
                Code::ValueRange,
                "this is no ratio",
                |finding| {
                    finding
                        .found(format!("{ratio}"))
                        .expected("a number above 0: 0.8 is four fifths of the median")
                        .help("write the ratio as a number")
                },
            );
            return None;
        }
        let median = Median { last, side, ratio };
        self.check_median(ratio_field, median, known)?;
        Some(Condition::Median(median))
    }

    /// Whatever was recorded, a value beyond the line that it gives must be one that there is.
    fn check_median(&mut self, field: &Field<f64>, median: Median, known: &Known) -> Option<()> {
        let (Some(least), Some(most)) = known.sort.range() else {
            return Some(());
        };
        // The line bends at zero only, so it lies furthest away at an end of the range or there.
        let lines = [least, most, 0.0_f64.clamp(least, most)].map(|number| median.beside(number));
        let never = match median.side {
            Side::Below => lines.iter().all(|line| *line <= least),
            Side::Above => lines.iter().all(|line| *line >= most),
        };
        if !never {
            return Some(());
        }
        self.refuse(field, Code::ValueRange, "this can never fire", |finding| {
            let nearer = match median.side {
                Side::Below => "a larger",
                Side::Above => "a smaller",
            };
            finding
                .found(format!("the ratio {}", median.ratio))
                .expected(format!(
                    "{nearer} one: `{}` can be {least} to {most}, and so can its median",
                    known.rule.name
                ))
                .help("move the ratio, or remove the trigger")
        });
        None
    }
}
