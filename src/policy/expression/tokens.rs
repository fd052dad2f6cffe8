//! The words of an expression: numbers, texts, names and signs, each with its place. What they
//! mean together is said in `syntax`.

use super::Problem;
use super::problems::{Problems, Span, quoted};

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lexeme<'s> {
    Number(f64),
    Text(String),
    /// A name, a function's name, or one of CEL's own words.
    Word(&'s str),
    /// One of [`SIGNS`].
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'s> {
    pub(super) lexeme: Lexeme<'s>,
    pub(super) span: Span,
}

/// The signs, longer ones before those that they begin with.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

/// What other languages write, and the sign that is meant.
const MEANT: &[(&str, &str)] = &[
    ("===", "=="),
    ("!==", "!="),
    ("<>", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("=", "=="),
    ("&", "&&"),
    ("|", "||"),
];

/// Beyond this the next whole number is no number of ours: 2^53.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// All words of `source`. `None` where something stood there that can't be read over.
pub(super) fn read<'s>(source: &'s str, problems: &mut Problems) -> Option<Vec<Token<'s>>> {
    let mut reader = Reader {
        source,
        at: 0,
        legible: true,
    };
    let mut tokens = Vec::new();
    loop {
        reader.skip_blanks();
        let start = reader.at;
        let Some(first) = reader.peek() else { break };
        let lexeme = reader.lexeme(first, problems);
        let span = reader.since(start);
        tokens.extend(lexeme.map(|lexeme| Token { lexeme, span }));
    }
    reader.legible.then_some(tokens)
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    /// Whether everything so far could be read, or is as clear as if it could.
    legible: bool,
}

impl<'s> Reader<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn since(&self, start: usize) -> Span {
        Span {
            start,
            end: self.at,
        }
    }

    fn quoted_since(&self, start: usize) -> String {
        self.since(start).quoted(self.source)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Blanks and comments, as CEL knows them.
    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if blanks.is_empty() {
                return;
            }
        }
    }

    fn lexeme(&mut self, first: char, problems: &mut Problems) -> Option<Lexeme<'s>> {
        let fraction = || self.rest().chars().nth(1).is_some_and(is_digit);
        if is_digit(first) || first == '.' && fraction() {
            return Some(self.number(problems));
        }
        if matches!(first, '\'' | '"') {
            return self.text(false, problems);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return self.word(problems);
        }
        self.sign(problems)
    }

    fn number(&mut self, problems: &mut Problems) -> Lexeme<'s> {
        let start = self.at;
        self.take_while(is_digit);
        let mut whole = true;
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(is_digit) {
            whole = false;
            self.next();
            self.take_while(is_digit);
        }
        whole &= !self.exponent();
        let trailing = self.take_while(is_of_word);
        let text = self.source.get(start..self.at).unwrap_or_default();
        let value = text.parse::<f64>().ok().filter(|_| trailing.is_empty());
        let Some(value) = value else {
            problems.push(
                Problem::new(start, format!("{} is no number", quoted(text)))
                    .found(quoted(text))
                    .expected("a decimal number, without a unit or suffix")
                    .help("write it like `80`, `0.5` or `1e6`"),
            );
            return Lexeme::Number(1.0);
        };
        if !value.is_finite() || whole && value >= LARGEST_WHOLE {
            problems.push(
                Problem::new(
                    start,
                    "the number is too large to be told from its neighbours",
                )
                .found(quoted(text))
                .expected("a whole number below 9007199254740992, or a fraction")
                .help(
                    "write a smaller number, or an approximate one with an exponent such as `1e18`",
                ),
            );
        }
        Lexeme::Number(value)
    }

    /// `e6`, `E-6`: true where one stands there.
    fn exponent(&mut self) -> bool {
        let Some(rest) = self.rest().strip_prefix(['e', 'E']) else {
            return false;
        };
        let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        if !digits.starts_with(is_digit) {
            return false;
        }
        self.at = self.source.len() - digits.len();
        self.take_while(is_digit);
        true
    }

    fn word(&mut self, problems: &mut Problems) -> Option<Lexeme<'s>> {
        let start = self.at;
        let word = self.take_while(is_of_word);
        if !self.rest().starts_with(['\'', '"']) {
            return Some(Lexeme::Word(word));
        }
        match word {
            "r" | "R" => self.text(true, problems),
            "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => {
                let raw = word.len() > 1;
                self.text(raw, problems);
                problems.push(
                    Problem::new(start, "bytes can't be written in an expression")
                        .found(self.quoted_since(start))
                        .expected("a text")
                        .help("leave out the letter before the quote"),
                );
                Some(Lexeme::Text(String::new()))
            }
            _ => Some(Lexeme::Word(word)),
        }
    }

    /// A text in quotes, of which the first stands at the beginning of the rest.
    fn text(&mut self, raw: bool, problems: &mut Problems) -> Option<Lexeme<'s>> {
        let start = self.at;
        let quote = self.next()?;
        if self.rest().starts_with(&String::from_iter([quote; 2])) {
            problems.push(
                Problem::new(start, "texts in three quotes can't be written here")
                    .found(quoted(&String::from_iter([quote; 3])))
                    .expected("a text in one pair of quotes")
                    .help("write a line break as `\\n`"),
            );
            self.give_up();
            return None;
        }
        let mut text = String::new();
        loop {
            match self.next() {
                Some(end) if end == quote => return Some(Lexeme::Text(text)),
                Some('\\') if !raw => text.extend(self.escape(problems)),
                Some('\n' | '\r') | None => break,
                Some(other) => text.push(other),
            }
        }
        problems.push(
            Problem::new(start, "the text has no end")
                .found(self.quoted_since(start))
                .expected(format!("a second `{quote}` on the same line"))
                .help(format!("close the text with `{quote}`")),
        );
        self.give_up();
        None
    }

    /// What stands behind a backslash.
    fn escape(&mut self, problems: &mut Problems) -> Option<char> {
        let start = self.at.saturating_sub(1);
        let character = match self.peek()? {
            same @ ('\\' | '\'' | '"' | '`' | '?') => Some(same),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'v' => Some('\u{b}'),
            'f' => Some('\u{c}'),
            'x' | 'X' => return self.code_point(start, 2, problems),
            'u' => return self.code_point(start, 4, problems),
            'U' => return self.code_point(start, 8, problems),
            _ => None,
        };
        // A line's end ends the text too, and is left to be found there.
        if !self.rest().starts_with(['\n', '\r']) {
            self.next();
        }
        if character.is_none() {
            problems.push(self.unknown_escape(start));
        }
        character
    }

    fn code_point(&mut self, start: usize, digits: usize, problems: &mut Problems) -> Option<char> {
        self.next();
        let hexadecimal = self.rest().chars().take(digits);
        let length = hexadecimal.take_while(char::is_ascii_hexdigit).count();
        let code = self.rest().get(..length).filter(|_| length == digits);
        let character = code
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        self.at += length;
        if character.is_none() {
            problems.push(self.unknown_escape(start));
        }
        character
    }

    fn unknown_escape(&self, start: usize) -> Problem {
        Problem::new(start, "the backslash begins nothing that is known")
            .found(self.quoted_since(start))
            .expected(r#"one of `\\`, `\'`, `\"`, `\n`, `\r`, `\t`, `\xHH`, `\uHHHH`"#)
            .help(r"write a backslash as `\\`, or put an `r` before the quote: `r'\d+'`")
    }

    fn sign(&mut self, problems: &mut Problems) -> Option<Lexeme<'s>> {
        let start = self.at;
        let known = |sign: &&&str| self.rest().starts_with(**sign);
        let sign = SIGNS.iter().find(known).copied();
        let foreign = MEANT
            .iter()
            .find(|(written, _)| self.rest().starts_with(written))
            .filter(|(written, _)| sign.is_none_or(|sign| sign.len() < written.len()));
        if let Some((written, meant)) = foreign {
            self.eat(written);
            problems.push(
                Problem::new(start, format!("`{written}` means nothing here"))
                    .found(format!("`{written}`"))
                    .expected(format!("`{meant}`"))
                    .help(format!("write `{meant}`")),
            );
            return Some(Lexeme::Sign(meant));
        }
        if let Some(sign) = sign {
            self.eat(sign);
            return Some(Lexeme::Sign(sign));
        }
        self.illegible(problems);
        None
    }

    /// A run of the same character, or of letters, that means nothing.
    fn illegible(&mut self, problems: &mut Problems) {
        let start = self.at;
        let Some(first) = self.next() else { return };
        let found = self.quoted_since(start);
        self.take_while(|c| c == first || first.is_alphabetic() && c.is_alphanumeric());
        self.legible = false;
        let help = match first {
            '“' | '”' | '‘' | '’' | '«' | '»' | '`' => {
                "write texts in straight quotes: `'high'`"
            }
            '≤' => "write `<=`",
            '≥' => "write `>=`",
            '≠' => "write `!=`",
            '@' | '#' | '$' => "write the name alone, such as `coverage`",
            _ if first.is_alphabetic() => "names have the letters a to z, digits and `_` only",
            _ => "remove it",
        };
        problems.push(
            Problem::new(start, format!("the character {found} means nothing here"))
                .found(found)
                .expected("names, numbers, texts in quotes, and operators")
                .help(help),
        );
    }

    /// Nothing behind this can be told apart.
    fn give_up(&mut self) {
        self.legible = false;
        self.at = self.source.len();
    }
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
