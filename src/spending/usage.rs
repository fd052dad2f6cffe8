//! What was spent so far: sums of a day and a month, by UTC, for each agent and currency (pure).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use crate::time::Timestamp;

/// What an agent spent in one currency so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// In the day.
    pub day: Amount,
    /// In the month.
    pub month: Amount,
}

/// The sums of one agent in one currency, as of the last day on which something was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    /// The day, `yyyy-mm-dd`.
    day: String,
    spent_day: Amount,
    spent_month: Amount,
}

impl Sums {
    /// The sums as they are on a day; one that is before the last is as good as that: a clock that was
    /// put back frees no cap.
    fn on(&self, day: &str) -> Usage {
        if day <= self.day.as_str() {
            return Usage {
                day: self.spent_day,
                month: self.spent_month,
            };
        }
        let month = if month(day) == month(&self.day) {
            self.spent_month
        } else {
            Amount::ZERO
        };
        Usage {
            day: Amount::ZERO,
            month,
        }
    }
}

/// The month of a day, `yyyy-mm`.
fn month(day: &str) -> &str {
    day.get(..7).unwrap_or(day)
}

/// The sums of all agents that spent something in the last month in which anybody did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Book {
    /// By agent, then by currency.
    agents: BTreeMap<String, BTreeMap<String, Sums>>,
}

impl Book {
    /// What an agent spent in a currency, as it counts at `at`.
    pub fn usage(&self, agent: &str, currency: &str, at: Timestamp) -> Usage {
        let sums = self.agents.get(agent).and_then(|sums| sums.get(currency));
        sums.map_or_else(Usage::default, |sums| sums.on(&at.date()))
    }

    /// The day that a payment at `at` counts for.
    pub fn day_of(&self, agent: &str, currency: &str, at: Timestamp) -> String {
        let today = at.date();
        let sums = self.agents.get(agent).and_then(|sums| sums.get(currency));
        match sums {
            Some(sums) if sums.day > today => sums.day.clone(),
            _ => today,
        }
    }

    /// Adds what was spent on a day.
    pub fn add(&mut self, agent: &str, currency: &str, day: &str, amount: Amount) {
        self.forget(month(day));
        let sums = self
            .agents
            .entry(agent.to_owned())
            .or_default()
            .entry(currency.to_owned())
            .or_insert_with(|| Sums {
                day: day.to_owned(),
                spent_day: Amount::ZERO,
                spent_month: Amount::ZERO,
            });
        let before = sums.on(day);
        if day > sums.day.as_str() {
            day.clone_into(&mut sums.day);
        }
        sums.spent_day = before.day.plus(amount);
        sums.spent_month = before.month.plus(amount);
    }

    /// Takes out again what was spent on a day, as far as it still counts.
    pub fn take_out(&mut self, agent: &str, currency: &str, day: &str, amount: Amount) {
        let sums = self.agents.get_mut(agent);
        let Some(sums) = sums.and_then(|sums| sums.get_mut(currency)) else {
            return;
        };
        if sums.day == day {
            sums.spent_day = sums.spent_day.less(amount);
        }
        if month(&sums.day) == month(day) {
            sums.spent_month = sums.spent_month.less(amount);
        }
    }

    /// Every agent and currency with what counts at `at`.
    pub fn all(&self, at: Timestamp) -> impl Iterator<Item = (&str, &str, Usage)> {
        let day = at.date();
        self.agents.iter().flat_map(move |(agent, currencies)| {
            let day = day.clone();
            currencies
                .iter()
                .map(move |(currency, sums)| (agent.as_str(), currency.as_str(), sums.on(&day)))
        })
    }

    /// Leaves out whom nothing counts for any more, so that the book has the size of a month.
    fn forget(&mut self, now: &str) {
        let is_over = |sums: &Sums| month(&sums.day) < now;
        let any = self.agents.values().flat_map(BTreeMap::values).any(is_over);
        if any {
            for currencies in self.agents.values_mut() {
                currencies.retain(|_, sums| !is_over(sums));
            }
            self.agents.retain(|_, currencies| !currencies.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    fn shown(book: &Book, time: &str) -> (String, String) {
        let usage = book.usage("a", "BRL", at(time));
        (usage.day.to_string(), usage.month.to_string())
    }

    #[test]
    fn days_and_months_change_at_midnight_by_utc() {
        let mut book = Book::default();
        book.add("a", "BRL", "2026-01-30", amount("5"));
        let last = at("2026-01-31T23:59:59Z");
        book.add("a", "BRL", &book.day_of("a", "BRL", last), amount("0.1"));
        book.add("a", "BRL", "2026-01-31", amount("0.2"));
        for (time, day, month) in [
            ("2026-01-31T23:59:59.999Z", "0.3", "5.3"),
            ("2026-01-31T22:00:00-02:00", "0", "0"),
            ("2026-02-01T00:00:00Z", "0", "0"),
            ("2026-02-01T01:59:59+02:00", "0.3", "5.3"),
        ] {
            assert_eq!(shown(&book, time), (day.into(), month.into()), "{time}");
        }
        book.add("a", "BRL", "2026-02-01", amount("7"));
        assert_eq!(
            shown(&book, "2026-02-01T00:00:00Z"),
            ("7".into(), "7".into())
        );
        assert_eq!(
            shown(&book, "2026-02-02T00:00:00Z"),
            ("0".into(), "7".into())
        );
    }

    #[test]
    fn agents_and_currencies_are_counted_apart() {
        let mut book = Book::default();
        book.add("a", "BRL", "2026-01-30", amount("5"));
        book.add("a", "USD", "2026-01-30", amount("6"));
        book.add("b", "BRL", "2026-01-30", amount("7"));
        let time = at("2026-01-30T12:00:00Z");
        assert_eq!(book.usage("a", "BRL", time).day, amount("5"));
        assert_eq!(book.usage("a", "USD", time).day, amount("6"));
        assert_eq!(book.usage("c", "BRL", time), Usage::default());
        assert_eq!(book.all(time).count(), 3);
    }

    #[test]
    fn a_clock_that_is_put_back_frees_no_cap() {
        let mut book = Book::default();
        book.add("a", "BRL", "2026-02-01", amount("5"));
        let before = at("2026-01-31T12:00:00Z");
        assert_eq!(book.usage("a", "BRL", before).day, amount("5"));
        let day = book.day_of("a", "BRL", before);
        assert_eq!(day, "2026-02-01");
        book.add("a", "BRL", &day, amount("5"));
        assert_eq!(
            shown(&book, "2026-02-01T12:00:00Z"),
            ("10".into(), "10".into())
        );
    }

    #[test]
    fn what_is_taken_out_counts_where_it_still_counted() {
        let mut book = Book::default();
        book.add("a", "BRL", "2026-01-30", amount("5"));
        book.add("a", "BRL", "2026-01-31", amount("7"));
        book.take_out("a", "BRL", "2026-01-30", amount("5"));
        assert_eq!(
            shown(&book, "2026-01-31T00:00:00Z"),
            ("7".into(), "7".into())
        );
        book.take_out("a", "BRL", "2026-01-31", amount("7"));
        assert_eq!(
            shown(&book, "2026-01-31T00:00:00Z"),
            ("0".into(), "0".into())
        );
        book.add("a", "BRL", "2026-02-01", amount("1"));
        book.take_out("a", "BRL", "2026-01-31", amount("7"));
        assert_eq!(
            shown(&book, "2026-02-01T00:00:00Z"),
            ("1".into(), "1".into())
        );
    }

    #[test]
    fn the_book_has_the_size_of_a_month() {
        let mut book = Book::default();
        for number in 0..100 {
            book.add(&format!("old-{number}"), "BRL", "2026-01-31", amount("1"));
        }
        book.add("a", "BRL", "2026-02-01", amount("1"));
        assert_eq!(book.all(at("2026-02-01T00:00:00Z")).count(), 1);
    }
}
