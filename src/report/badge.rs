//! A badge: an SVG with a title that a screen reader says, and the JSON that shields.io asks an
//! endpoint for. What is not known to be the level of now is grey.

use serde::Serialize;

use super::outcome::Shown;
use crate::policy::Level;

const LABEL: &str = "policy";

/// How a badge looks: what stands behind the word, and the word itself. Each pair has a contrast of
/// at least 4.5 to 1 (WCAG 2.2, 1.4.3).
#[derive(Debug, Clone, Copy)]
struct Look {
    ground: &'static str,
    text: &'static str,
}

const GREEN: Look = Look {
    ground: "#2e7d32",
    text: "#ffffff",
};
const YELLOW: Look = Look {
    ground: "#f2c200",
    text: "#000000",
};
const ORANGE: Look = Look {
    ground: "#f09300",
    text: "#000000",
};
const RED: Look = Look {
    ground: "#c62828",
    text: "#ffffff",
};
const GREY: Look = Look {
    ground: "#616161",
    text: "#ffffff",
};

fn look(shown: &Shown<'_>) -> Look {
    match shown {
        Shown::Level(level) if **level >= Level::RED => RED,
        Shown::Level(level) if **level > Level::YELLOW => ORANGE,
        Shown::Level(level) if **level == Level::YELLOW => YELLOW,
        Shown::Level(_) => GREEN,
        Shown::Stale | Shown::Unknown => GREY,
    }
}

/// The badge as SVG. The level's name is upper-case letters, digits and `_`: nothing to escape.
pub fn svg(shown: &Shown<'_>) -> String {
    let Look { ground, text } = look(shown);
    let word = shown.word();
    let (left, right) = (width(LABEL), width(word));
    let all = left + right;
    let (at_label, at_word) = (left / 2, left + right / 2);
    let (long_label, long_word) = (left - 12, right - 12);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" viewBox="0 0 {all} 20" role="img" aria-label="{LABEL}: {word}">
<title>{LABEL}: {word}</title>
<path fill="#424242" d="M3 0h{to_left}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>
<path fill="{ground}" d="M{left} 0h{to_right}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left}z"/>
<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{at_label}" y="14" fill="#ffffff" textLength="{long_label}">{LABEL}</text>
<text x="{at_word}" y="14" fill="{text}" textLength="{long_word}">{word}</text>
</g>
</svg>
"##,
        to_left = left - 3,
        to_right = right - 3,
    )
}

/// Room for a word at this size, its edges included.
fn width(word: &str) -> usize {
    let of = |letter: char| if letter.is_ascii_uppercase() { 8 } else { 7 };
    12 + word.chars().map(of).sum::<usize>()
}

/// The JSON of an endpoint, in the names that shields.io gives them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint<'a> {
    schema_version: u32,
    label: &'static str,
    message: &'a str,
    color: &'static str,
    is_error: bool,
    cache_seconds: u32,
}

/// The answer of an endpoint.
pub fn endpoint<'a>(shown: &'a Shown<'_>) -> Endpoint<'a> {
    Endpoint {
        schema_version: 1,
        label: LABEL,
        message: shown.word(),
        color: look(shown).ground,
        is_error: !matches!(shown, Shown::Level(_)),
        cache_seconds: 300,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_level_that_is_known_has_a_colour() {
        for (shown, colour) in [
            (Shown::Level(&Level::GREEN), GREEN.ground),
            (Shown::Level(&Level::YELLOW), YELLOW.ground),
            (
                Shown::Level(&Level::parse("ORANGE").unwrap()),
                ORANGE.ground,
            ),
            (Shown::Level(&Level::RED), RED.ground),
            (Shown::Stale, GREY.ground),
            (Shown::Unknown, GREY.ground),
        ] {
            let badge = svg(&shown);
            let grounds = [GREEN, YELLOW, ORANGE, RED, GREY].map(|look| look.ground);
            let found: Vec<_> = grounds
                .into_iter()
                .filter(|it| badge.contains(it))
                .collect();
            assert_eq!(found, [colour]);
            assert!(badge.contains(&format!("<title>policy: {}</title>", shown.word())));
            assert_eq!(endpoint(&shown).color, colour);
        }
    }

    /// The contrast of two colours (WCAG 2.2).
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
                let share = f64::from(value) / 255.0;
                if share <= 0.04045 {
                    share / 12.92
                } else {
                    ((share + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_word_can_be_read() {
        for Look { ground, text } in [GREEN, YELLOW, ORANGE, RED, GREY] {
            assert!(contrast(ground, text) >= 4.5, "{ground} {text}");
        }
        assert!(contrast("#424242", "#ffffff") >= 4.5);
    }
}
