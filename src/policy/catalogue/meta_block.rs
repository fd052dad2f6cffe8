//! The block of comment `[KFM_META_BLOCK_V2]` at the beginning of a Markdown file: what the document
//! is, who answers for it, and who may read it.
//!
//! It looks like YAML and is none: a value is what stands on its line, colons included, up to a blank
//! and `#`. So it is read line by line here, into the tree that documents in YAML come to.

use chrono::NaiveDate;

use super::reader::Reader;
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::policy::source::{Entry, Kind, Node, Spot};

/// What the first line begins with, whatever the version.
const BEGIN: &str = "<!-- [KFM_META_BLOCK_";
const FIRST: &str = "<!-- [KFM_META_BLOCK_V2]";
const LAST: &str = "[/KFM_META_BLOCK_V2] -->";

/// What the block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaBlock {
    /// The document's identity.
    pub doc_id: String,
    /// Its title.
    pub title: String,
    /// What kind of document it is.
    pub doc_type: String,
    /// Its version.
    pub version: String,
    /// Where it stands.
    pub status: String,
    /// Who answers for it.
    pub owners: String,
    /// When it was begun.
    pub created: Option<NaiveDate>,
    /// When it was changed last.
    pub updated: Option<NaiveDate>,
    /// Who may read it.
    pub policy_label: String,
    /// Documents beside it.
    pub related: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

const KEYS: [&str; 12] = [
    "doc_id",
    "title",
    "type",
    "version",
    "status",
    "owners",
    "created",
    "updated",
    "policy_label",
    "related",
    "tags",
    "notes",
];

/// True for a text that begins with such a block.
pub(super) fn is_meant(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// The tree of the block.
pub(super) fn parse(file: &str, text: &str) -> Checked<Node> {
    let mut block = Block {
        file,
        values: 1,
        members: Vec::new(),
    };
    let blank = text.len() - text.trim_start().len();
    let before = text.get(..blank).unwrap_or_default().matches('\n').count() as u64;
    let mut lines = text
        .trim_start()
        .lines()
        .zip(before + 1..)
        .map(|(line, number)| Line {
            text: line.trim_end(),
            number,
        });
    let first = lines.next().filter(|line| line.text == FIRST);
    if first.is_none() {
        let found = text.trim_start().lines().next().unwrap_or_default().trim();
        let spot = Spot {
            line: before + 1,
            column: 1,
        };
        return Err(block.wrong(spot, "the first line of the block is another", found, FIRST));
    }
    for line in lines {
        if line.text.trim() == LAST {
            let spot = Spot {
                line: before + 2,
                column: 1,
            };
            return Ok(Node {
                kind: Kind::Map(block.members),
                spot,
                index: 0,
            });
        }
        block.take(line)?;
    }
    let spot = Spot {
        line: before + 1,
        column: 1,
    };
    Err(block.wrong(spot, "the block never ends", "no line that ends it", LAST))
}

/// A line without the blanks at its end.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    number: u64,
}

impl Line<'_> {
    /// The spot of a part of the line.
    fn spot(self, part: &str) -> Spot {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Spot {
            line: self.number,
            column: offset as u64 + 1,
        }
    }
}

/// A block on its way to a tree.
struct Block<'f> {
    file: &'f str,
    /// How many values there are so far.
    values: usize,
    members: Vec<Entry>,
}

impl Block<'_> {
    fn take(&mut self, line: Line<'_>) -> Checked<()> {
        let bare = line.text.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            return Ok(());
        }
        let is_item = bare == "-" || bare.starts_with("- ");
        match (bare.len() == line.text.len(), is_item) {
            (true, false) => self.member(line),
            (_, true) => self.item(line, bare),
            (false, false) => Err(self.wrong(
                line.spot(bare),
                "a line goes on from the one before",
                bare,
                "`key: value`, or `- ` and an entry of a list, on one line",
            )),
        }
    }

    fn member(&mut self, line: Line<'_>) -> Checked<()> {
        let named = line.text.split_once(':').filter(|(key, rest)| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let is_key = !key.is_empty() && key.bytes().all(plain);
            is_key && (rest.is_empty() || rest.starts_with(' '))
        });
        let Some((key, rest)) = named else {
            return Err(self.wrong(
                line.spot(line.text),
                "a line has no key",
                line.text,
                "`key: value`",
            ));
        };
        let value = self.value(line, uncommented(rest))?;
        self.members.push(Entry {
            key: key.to_owned(),
            spot: line.spot(key),
            value,
        });
        Ok(())
    }

    fn value(&mut self, line: Line<'_>, text: &str) -> Checked<Node> {
        let spot = line.spot(text);
        let index = self.next();
        let kind = match text.strip_prefix('[') {
            _ if text.is_empty() => Kind::Null,
            None => Kind::Text(unquoted(text).to_owned()),
            Some(rest) => {
                let Some(items) = rest.strip_suffix(']') else {
                    let expected = "a list in brackets on one line";
                    return Err(self.wrong(spot, "a list never ends", text, expected));
                };
                let items = items.split(',').map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                Kind::List(items.map(|item| self.text(line, item)).collect())
            }
        };
        Ok(Node { kind, spot, index })
    }

    /// An entry of the list that the last key has.
    fn item(&mut self, line: Line<'_>, bare: &str) -> Checked<()> {
        let text = uncommented(bare.strip_prefix('-').unwrap_or(bare));
        let item = self.text(line, text);
        let list = self.members.last_mut().map(|member| &mut member.value.kind);
        match list {
            Some(Kind::List(items)) => items.push(item),
            Some(kind @ Kind::Null) => *kind = Kind::List(vec![item]),
            _ => {
                return Err(self.wrong(
                    line.spot(bare),
                    "an entry belongs to no list",
                    bare,
                    "a key without a value on the line before the first entry",
                ));
            }
        }
        Ok(())
    }

    fn text(&mut self, line: Line<'_>, text: &str) -> Node {
        Node {
            kind: Kind::Text(unquoted(text).to_owned()),
            spot: line.spot(text),
            index: self.next(),
        }
    }

    fn next(&mut self) -> usize {
        self.values += 1;
        self.values - 1
    }

    fn wrong(&self, spot: Spot, message: &str, found: &str, expected: &str) -> Box<Diagnostic> {
        let place = spot.place(self.file, "$");
        Box::new(
            Diagnostic::new(Code::MetaBlockInvalid, place, message)
                .found(format!("`{found}`"))
                .expected(expected)
                .help(format!("the block goes from `{FIRST}` to `{LAST}`, a key or an entry of a list on each line")),
        )
    }
}

/// A value without the blanks around it and a comment behind it.
fn uncommented(text: &str) -> &str {
    let begins = |at: &usize| {
        text.get(..*at)
            .is_none_or(|before| before.ends_with([' ', '\t']))
    };
    let comment = text.match_indices('#').map(|(at, _)| at).find(begins);
    text.get(..comment.unwrap_or(text.len()))
        .unwrap_or(text)
        .trim()
}

fn unquoted(text: &str) -> &str {
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// Reads the block.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> MetaBlock {
    reader.map(root, &KEYS);
    let id = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = text.strip_prefix("kfm://doc/").unwrap_or_default();
        !name.is_empty() && name.bytes().all(plain)
    };
    let version = |text: &str| {
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.strip_prefix('v').unwrap_or_default();
        parts.split('.').all(number)
    };
    let word = |text: &str| {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        text.bytes().all(plain)
    };
    let block = MetaBlock {
        doc_id: form(reader, root, "doc_id", "`kfm://doc/` and a name", id),
        title: reader.needed_text(root, "title"),
        doc_type: form(reader, root, "type", "a word in lower case", word),
        version: form(
            reader,
            root,
            "version",
            "`v` and a number: v1, v1.2",
            version,
        ),
        status: form(reader, root, "status", "a word in lower case", word),
        owners: reader.needed_text(root, "owners"),
        created: date(reader, root, "created"),
        updated: date(reader, root, "updated"),
        policy_label: form(reader, root, "policy_label", "a label, in lower case", word),
        related: reader.texts(root.get("related")),
        tags: reader.texts(root.get("tags")),
        notes: reader.texts(root.get("notes")),
    };
    in_order(reader, root, &block);
    block
}

/// A text of some form that has to be there.
fn form(
    reader: &mut Reader<'_>,
    root: &Node,
    key: &str,
    expected: &str,
    fits: impl Fn(&str) -> bool,
) -> String {
    let text = reader.needed_text(root, key);
    let node = root.get(key).filter(|_| !text.is_empty() && !fits(&text));
    if let Some(node) = node {
        reader.find(node, |place| {
            Diagnostic::new(
                Code::ValueType,
                place,
                format!("`{key}` is of another form"),
            )
            .found(format!("`{text}`"))
            .expected(expected)
            .help("correct the value")
        });
    }
    text
}

fn date(reader: &mut Reader<'_>, root: &Node, key: &str) -> Option<NaiveDate> {
    let read = |text: &str| {
        let is_long = text.len() == 10;
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|_| is_long)
    };
    let text = form(reader, root, key, "a date: 2026-02-28", |text| {
        read(text).is_some()
    });
    read(&text)
}

fn in_order(reader: &mut Reader<'_>, root: &Node, block: &MetaBlock) {
    let dates = block.created.zip(block.updated);
    if let (Some((created, updated)), Some(node)) = (dates, root.get("updated"))
        && updated < created
    {
        reader.find(node, |place| {
            Diagnostic::new(
                Code::PolicyContradiction,
                place,
                "the document was updated before it was created",
            )
            .found(format!("created {created}, updated {updated}"))
            .expected("a date of update on or after that of creation")
            .help("correct one of the two dates")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lines: &str) -> String {
        format!("{FIRST}\n{lines}{LAST}\n\n# Title\n")
    }

    fn tree(lines: &str) -> Node {
        parse("a.md", &block(lines)).unwrap()
    }

    #[test]
    fn a_value_is_what_stands_on_its_line() {
        let root = tree(
            "owners: A + B (TODO: ask)\nrelated:\n  - kfm://doc/X  # a link\ntags: [a, 'b c',]\nnotes:\n- one: two\n\n# none\n",
        );
        assert_eq!(
            root.get("owners").unwrap().as_text(),
            Some("A + B (TODO: ask)")
        );
        let texts = |key: &str| -> Vec<String> {
            let Kind::List(items) = &root.get(key).unwrap().kind else {
                panic!()
            };
            items
                .iter()
                .map(|item| item.as_text().unwrap().to_owned())
                .collect()
        };
        assert_eq!(texts("related"), ["kfm://doc/X"]);
        assert_eq!(texts("tags"), ["a", "b c"]);
        assert_eq!(texts("notes"), ["one: two"]);
        let Kind::List(items) = &root.get("tags").unwrap().kind else {
            panic!()
        };
        assert_eq!(
            items[1].spot,
            Spot {
                line: 5,
                column: 11
            }
        );
        assert_eq!(root.path_to(&items[1]), "$.tags[1]");
    }

    #[test]
    fn what_is_no_block_has_its_line() {
        let line = |text: &str| parse("a.md", text).unwrap_err().place.line.unwrap();
        for (lines, expected) in [
            ("title x\n", 2),
            ("title: x\n  y\n", 3),
            ("title: x\n  - y\n", 3),
            ("- y\n", 2),
            ("a: b\ntags: [a, b\n", 3),
            ("a b: c\n", 2),
        ] {
            assert_eq!(line(&block(lines)), expected, "{lines}");
        }
        assert_eq!(line(&format!("\n{FIRST}\ntitle: x\n-->\n")), 4);
        assert_eq!(line(&format!("\n{FIRST}\ntitle: x\n")), 2);
        assert_eq!(line("<!-- [KFM_META_BLOCK_V3]\n"), 1);
    }
}
