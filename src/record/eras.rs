//! Which key counts where in a signed journal.
//!
//! A journal is signed with one key until a line that both keys sign hands it over to the next. Before
//! that line only the old key counts, behind it only the new one, so that nobody who holds one of them
//! can sign again what belongs to the other. Lines from before keys had ids name none and belong to
//! the first key. A key from before that is not at hand is no fault where the handover from it is
//! signed by one that is: the chain covers what stands before.

use super::signing::{KeyId, Secret, Signed, SigningKey};

/// What the signature of a line is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// It is that of the key that counts there.
    Right,
    /// It is not.
    Wrong(Mismatch),
    /// There is one, and no key at all to check it with.
    Unchecked,
    /// It is by a key that is not at hand. Looked at from the end: one that a line behind it handed
    /// the journal over from. Looked at from the beginning: a handover may still come.
    Foreign(Mismatch),
}

/// Which key a line names, and which one counts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The id on the line.
    pub named: Option<KeyId>,
    /// The id of the key that counts, or of the one at hand where nobody knows which counts.
    pub counts: KeyId,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
enum Turn<'k> {
    /// No signed line told yet.
    Open,
    /// A key at hand.
    Of(&'k Secret),
    /// A key that is not.
    Absent(KeyId),
}

/// The lines of a journal from the last one back.
#[derive(Debug)]
pub struct Backwards<'k> {
    keys: Option<&'k SigningKey>,
    turn: Turn<'k>,
    old: Option<KeyId>,
}

impl<'k> Backwards<'k> {
    /// Begins at the end.
    pub fn new(keys: Option<&'k SigningKey>) -> Self {
        Self {
            keys,
            turn: Turn::Open,
            old: None,
        }
    }

    /// The key that the end is signed with, where that is one from before the key that signs: the
    /// journal was not handed over yet.
    pub fn not_handed_over(&self) -> Option<KeyId> {
        self.old
    }

    /// Looks at the line before those it has seen, given without its newline.
    pub fn take(&mut self, line: &[u8]) -> Signature {
        let Some(signed) = Signed::parse(line) else {
            return Signature::None;
        };
        let Some(keys) = self.keys else {
            return Signature::Unchecked;
        };
        let secret = match self.turn {
            Turn::Of(secret) => secret,
            Turn::Absent(id) => {
                let mismatch = Mismatch {
                    named: signed.key,
                    counts: id,
                };
                if signed.key.is_some_and(|named| named != id) {
                    return Signature::Wrong(mismatch);
                }
                self.before(keys, &signed);
                return Signature::Foreign(mismatch);
            }
            Turn::Open => {
                let secret = of_end(keys, &signed);
                if secret.id() != keys.id() {
                    self.old = Some(secret.id());
                }
                self.turn = Turn::Of(secret);
                secret
            }
        };
        if !is_by(&signed, secret) {
            return wrong(&signed, secret.id());
        }
        match signed.handover {
            Some(handover) => {
                let old = keys.named(handover.from);
                if old.is_some_and(|old| !handover.is_by(old)) {
                    return wrong(&signed, handover.from);
                }
                self.before(keys, &signed);
                Signature::Right
            }
            None => Signature::Right,
        }
    }

    /// Goes on before a line, where it hands the journal over.
    fn before(&mut self, keys: &'k SigningKey, signed: &Signed<'_>) {
        if let Some(handover) = signed.handover {
            self.turn = keys
                .named(handover.from)
                .map_or(Turn::Absent(handover.from), Turn::Of);
        }
    }
}

/// The key of the last signed line: the one that signs, unless the line is by one from before.
fn of_end<'k>(keys: &'k SigningKey, signed: &Signed<'_>) -> &'k Secret {
    let mut old = keys.all().skip(1);
    let is_it = |secret: &&Secret| match signed.key {
        Some(id) => secret.id() == id,
        None => signed.is_by(secret),
    };
    if is_it(&keys.current()) {
        return keys.current();
    }
    old.find(is_it).unwrap_or(keys.current())
}

fn is_by(signed: &Signed<'_>, secret: &Secret) -> bool {
    signed.key.is_none_or(|id| id == secret.id()) && signed.is_by(secret)
}

fn wrong(signed: &Signed<'_>, counts: KeyId) -> Signature {
    Signature::Wrong(Mismatch {
        named: signed.key,
        counts,
    })
}

/// The lines of a journal from the first one on.
#[derive(Debug)]
pub struct Forwards<'k> {
    keys: Option<&'k SigningKey>,
    turn: Turn<'k>,
    /// True behind a handover: lines have ids from there on.
    handed_over: bool,
}

/// What a line means for those before it that were [`Signature::Foreign`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Open,
    /// They are by the key that the journal was handed over from.
    Covered,
    /// They are by no key that ever counted.
    Wrong,
}

impl<'k> Forwards<'k> {
    /// Begins at the beginning.
    pub fn new(keys: Option<&'k SigningKey>) -> Self {
        Self {
            keys,
            turn: Turn::Open,
            handed_over: false,
        }
    }

    /// The key whose turn it is at the end.
    pub fn turn(&self) -> Option<KeyId> {
        match self.turn {
            Turn::Open => None,
            Turn::Of(secret) => Some(secret.id()),
            Turn::Absent(id) => Some(id),
        }
    }

    /// The key that the end is signed with, where that is one from before the key that signs.
    pub fn not_handed_over(&self) -> Option<KeyId> {
        let current = self.keys?.id();
        match self.turn {
            Turn::Of(secret) if secret.id() != current => Some(secret.id()),
            _ => None,
        }
    }

    /// Looks at the line behind those it has seen, given without its newline.
    pub fn take(&mut self, line: &[u8]) -> (Signature, Before) {
        let Some(signed) = Signed::parse(line) else {
            return (Signature::None, Before::Open);
        };
        let Some(keys) = self.keys else {
            return (Signature::Unchecked, Before::Open);
        };
        if let Some(handover) = signed.handover {
            return self.handover(keys, &signed, handover.from);
        }
        match self.turn {
            Turn::Open => self.first(keys, &signed),
            Turn::Of(secret) => {
                let lacks_id = self.handed_over && signed.key.is_none();
                if lacks_id || !is_by(&signed, secret) {
                    return (wrong(&signed, secret.id()), Before::Open);
                }
                (Signature::Right, Before::Open)
            }
            Turn::Absent(id) => {
                let fits = match signed.key {
                    Some(named) => named == id,
                    None => !self.handed_over,
                };
                let mismatch = Mismatch {
                    named: signed.key,
                    counts: id,
                };
                let found = if fits {
                    Signature::Foreign(mismatch)
                } else {
                    Signature::Wrong(mismatch)
                };
                (found, Before::Open)
            }
        }
    }

    /// A signed line before which no signature told whose turn it is.
    fn first(&mut self, keys: &'k SigningKey, signed: &Signed<'_>) -> (Signature, Before) {
        let mismatch = Mismatch {
            named: signed.key,
            counts: keys.id(),
        };
        let known = match signed.key {
            Some(id) => keys.named(id),
            None => keys.all().find(|secret| signed.is_by(secret)),
        };
        match (known, signed.key) {
            (Some(secret), _) => {
                self.turn = Turn::Of(secret);
                let found = if signed.is_by(secret) {
                    Signature::Right
                } else {
                    wrong(signed, secret.id())
                };
                // One and the same key signs up to a handover, and those before are not by this one.
                (found, Before::Wrong)
            }
            (None, Some(id)) => {
                self.turn = Turn::Absent(id);
                (Signature::Foreign(mismatch), Before::Open)
            }
            (None, None) => (Signature::Foreign(mismatch), Before::Open),
        }
    }

    fn handover(
        &mut self,
        keys: &'k SigningKey,
        signed: &Signed<'_>,
        from: KeyId,
    ) -> (Signature, Before) {
        let expected = self.turn();
        let old = keys.named(from);
        let new = signed.key.and_then(|id| keys.named(id));
        let by_old = old.is_none_or(|old| signed.handover.is_some_and(|part| part.is_by(old)));
        let fits = expected.is_none_or(|expected| expected == from);
        let Some(new) = new else {
            // Handed over to a key that is not at hand either: what comes next has to say more.
            let found = Mismatch {
                named: signed.key,
                counts: keys.id(),
            };
            if !fits || !by_old {
                return (Signature::Wrong(found), Before::Open);
            }
            self.handed_over = true;
            self.turn = signed.key.map_or(Turn::Open, Turn::Absent);
            return (Signature::Foreign(found), Before::Open);
        };
        if !signed.is_by(new) {
            return (wrong(signed, new.id()), Before::Open);
        }
        let was_absent = old.is_none();
        self.handed_over = true;
        self.turn = Turn::Of(new);
        if !fits || !by_old {
            return (wrong(signed, expected.unwrap_or(from)), Before::Wrong);
        }
        let before = if was_absent {
            Before::Covered
        } else {
            Before::Wrong
        };
        (Signature::Right, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::signing;

    fn key(letter: u8) -> SigningKey {
        SigningKey::new(vec![letter; 32]).unwrap()
    }

    fn keys(letters: &[u8]) -> SigningKey {
        let (first, old) = letters.split_first().unwrap();
        old.iter().fold(key(*first), |keys, letter| {
            keys.with_old(vec![*letter; 32]).unwrap()
        })
    }

    /// A journal as a word: a letter signs with its key, a capital one hands over from it to the key
    /// of the letter behind it, a full stop is an unsigned line, an exclamation mark spoils the line
    /// before.
    fn journal(word: &str) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut letters = word.bytes().peekable();
        while let Some(letter) = letters.next() {
            let line = format!("{{\"seq\":{}}}", lines.len()).into_bytes();
            match letter {
                b'.' => lines.push(line),
                b'!' => lines.last_mut().unwrap()[2] ^= 1,
                letter if letter.is_ascii_uppercase() => {
                    let old = key(letter.to_ascii_lowercase());
                    let new = key(letters.next().unwrap());
                    lines.push(signing::signed_by_both(line, old.current(), &new));
                }
                letter => lines.push(signing::signed(line, &key(letter))),
            }
        }
        lines
    }

    fn mark(signature: Signature) -> char {
        match signature {
            Signature::None => '.',
            Signature::Right => '+',
            Signature::Wrong(_) => '-',
            Signature::Unchecked => '?',
            Signature::Foreign(_) => '~',
        }
    }

    #[test]
    fn which_key_counts_where() {
        // journal, keys at hand (the one that signs first), forwards, backwards, what became of the
        // foreign ones, whether the end was not handed over
        let table = [
            ("aaa", "a", "+++", "+++", "", false),
            ("..a", "a", "..+", "..+", "", false),
            ("aa!a", "a", "+-+", "+-+", "", false),
            ("aaa", "ba", "+++", "+++", "", true),
            ("aaa", "b", "~~~", "---", "", false),
            ("aAbb", "ba", "+++", "+++", "wrong", false),
            ("aAbb", "b", "~++", "~++", "covered", false),
            // The old key behind the handover.
            ("aAba", "ba", "++-", "+-+", "wrong", false),
            ("aAba", "b", "~+-", "~+-", "covered", false),
            // The new key before it.
            ("abAbb", "ba", "+-++", "+-++", "wrong", false),
            ("abAbb", "b", "~-++", "~-++", "covered", false),
            ("bAbb", "b", "+-+", "-++", "wrong", false),
            // Two handovers, and keys of the middle alone.
            ("aAbBcc", "cba", "++++", "++++", "wrong", false),
            ("aAbBcc", "c", "~~++", "~~++", "covered", false),
            ("aAbBcc", "cb", "~+++", "~+++", "covered", false),
            // A handover from a key that never counted.
            ("aCbb", "bca", "+-+", "-++", "wrong", false),
            ("aAb!b", "ba", "+--", "++-", "", true),
        ];
        for (word, hand, forwards, backwards, before, old_end) in table {
            let lines = journal(word);
            let keys = keys(hand.as_bytes());
            let mut walk = Forwards::new(Some(&keys));
            let mut told = String::new();
            let mut found = String::new();
            for line in &lines {
                let (signature, word) = walk.take(line);
                found.push(mark(signature));
                match word {
                    Before::Covered => told = "covered".to_owned(),
                    Before::Wrong if signing::is_handover(line) => told = "wrong".to_owned(),
                    _ => {}
                }
            }
            assert_eq!(found, forwards, "{word} with {hand}, forwards");
            assert_eq!(told, before, "{word} with {hand}, before");
            assert_eq!(walk.not_handed_over().is_some(), old_end, "{word} {hand}");
            let mut walk = Backwards::new(Some(&keys));
            let mut found: Vec<char> = lines
                .iter()
                .rev()
                .map(|line| mark(walk.take(line)))
                .collect();
            found.reverse();
            assert_eq!(
                found.into_iter().collect::<String>(),
                backwards,
                "{word} with {hand}, backwards"
            );
        }
    }

    #[test]
    fn without_a_key_nothing_is_checked() {
        let line = signing::signed(b"{\"seq\":1}".to_vec(), &key(b'a'));
        assert_eq!(Forwards::new(None).take(&line).0, Signature::Unchecked);
        assert_eq!(Backwards::new(None).take(&line), Signature::Unchecked);
    }
}
