//! How mature a module is by the boxes in the text of its document (row C-12).
//!
//! A heading `… State` begins the list of what that rung asks for. A module is on the highest rung
//! that has all boxes ticked, and all rungs below it too; what it says of itself does not count.

/// The rungs in their order.
pub const RUNGS: [&str; 5] = [
    "minimal",
    "intermediate_i1",
    "intermediate_i2",
    "intermediate_i3",
    "complete",
];

/// Boxes of a rung, or of everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Boxes {
    /// How many are ticked.
    pub ticked: usize,
    /// How many there are.
    pub all: usize,
}

impl Boxes {
    /// How many are not ticked.
    pub fn open(self) -> usize {
        self.all.saturating_sub(self.ticked)
    }
}

/// What the text says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maturity {
    /// What it calls its current state.
    pub said: Option<String>,
    /// The boxes of each rung, in the order of [`RUNGS`].
    pub rungs: [Boxes; 5],
    /// The boxes under other headings.
    pub others: Boxes,
}

impl Maturity {
    /// Reads the text behind the front matter. What stands in a code block is no box.
    pub fn read(body: &str) -> Self {
        let mut maturity = Self::default();
        let (mut rung, mut in_code) = (None, false);
        for line in body.lines().map(str::trim) {
            if line.starts_with("```") || line.starts_with("~~~") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            if let Some(heading) = heading(line) {
                if let Some(said) = heading.strip_prefix("current state:") {
                    maturity.said = Some(said.trim().to_owned());
                }
                rung = heading.strip_suffix(" state").and_then(rank);
            }
            if let Some(ticked) = ticked(line) {
                let boxes = rung.and_then(|rung: usize| maturity.rungs.get_mut(rung));
                let boxes = boxes.unwrap_or(&mut maturity.others);
                boxes.all += 1;
                boxes.ticked += usize::from(ticked);
            }
        }
        maturity
    }

    /// True where a rung has boxes at all.
    pub fn is_known(&self) -> bool {
        self.rungs.iter().any(|boxes| boxes.all > 0)
    }

    /// How many rungs are done, counted from the lowest. One without a box is not done.
    pub fn done(&self) -> usize {
        let done = |boxes: &&Boxes| boxes.all > 0 && boxes.open() == 0;
        self.rungs.iter().take_while(done).count()
    }

    /// The name of the highest rung that is done.
    pub fn computed(&self) -> Option<&'static str> {
        let highest = self.done().checked_sub(1)?;
        RUNGS.get(highest).copied()
    }
}

/// The place of a name among the rungs: `complete`, `i1`, `intermediate i1`, `Intermediate_I1`.
pub fn rank(name: &str) -> Option<usize> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let short = |rung: &str| rung.strip_prefix("intermediate_") == Some(name.as_str());
    RUNGS.iter().position(|rung| *rung == name || short(rung))
}

fn heading(line: &str) -> Option<String> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len() && text.starts_with(' ')).then(|| text.trim().to_lowercase())
}

fn ticked(line: &str) -> Option<bool> {
    let item = line
        .strip_prefix("- ")
        .or_else(|| line.strip_prefix("* "))?;
    match item.trim_start().get(..3)? {
        "[ ]" => Some(false),
        "[x]" | "[X]" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(ticks: [&str; 5]) -> String {
        let names = [
            "Minimal",
            "Intermediate I1",
            "Intermediate I2",
            "Intermediate I3",
            "Complete",
        ];
        let section = |(name, ticks): (&str, &str)| {
            let boxes: Vec<String> = ticks
                .chars()
                .map(|tick| format!("- [{tick}] thing\n"))
                .collect();
            let boxes = boxes.concat();
            format!("### {name} State\n**Requirements:**\n{boxes}\n")
        };
        names.into_iter().zip(ticks).map(section).collect()
    }

    #[test]
    fn a_module_is_on_the_highest_rung_without_an_open_box_up_to_it() {
        for (ticks, computed) in [
            (["x ", "xx", "xx", "xx", "xx"], None),
            (["xx", " ", "", "", ""], Some("minimal")),
            (["xx", "x", "x ", "x", "x"], Some("intermediate_i1")),
            (["xx", "", "xx", "xx", "xx"], Some("minimal")),
            (["x", "X", "x", "x", "x"], Some("complete")),
            (["", "", "", "", ""], None),
        ] {
            assert_eq!(
                Maturity::read(&body(ticks)).computed(),
                computed,
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn other_boxes_and_those_in_code_make_no_rung() {
        let text = format!(
            "{}```\n- [ ] code\n```\n## Success\n- [ ] fast\n* [x] neat\n- [link](x)\n#hashtag state\n",
            body(["x", "", "", "", ""])
        );
        let maturity = Maturity::read(&text);
        assert_eq!(maturity.computed(), Some("minimal"));
        assert_eq!(maturity.others, Boxes { ticked: 1, all: 2 });
        assert!(maturity.is_known() && !Maturity::read("text").is_known());
    }

    #[test]
    fn rungs_have_short_names_too() {
        for (name, rung) in [
            ("i1", 1),
            ("Intermediate I3", 3),
            ("COMPLETE", 4),
            ("minimal", 0),
        ] {
            assert_eq!(rank(name), Some(rung));
        }
        assert_eq!(rank("prod"), None);
    }
}
