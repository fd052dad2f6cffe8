//! Coded diagnostics: what is wrong, where, what was found, what was expected, what to do.
//!
//! A diagnostic can't be made without a [`Place`], and each [`Code`] is documented once
//! (docs/codes.md is made from [`Code::DOCUMENTED`]). The rules for the wording are in
//! CONTRIBUTING.md. How a diagnostic looks on a terminal or in a workflow's log is the business of
//! [`crate::report`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::privacy::Redaction;

/// Whether a diagnostic stops something or is only to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The reading or the record stands; the reader should know of something odd.
    Warning,
    /// The reading, the document or the record is not usable.
    Error,
}

macro_rules! codes {
    ($($severity:ident $name:ident = $text:literal: $doc:literal,)*) => {
        /// What kind of finding a diagnostic is. The text form is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $doc] $name,)*
        }

        impl Code {
            /// Every code with its severity and meaning, in the order of the documentation.
            pub const DOCUMENTED: &'static [(Self, Severity, &'static str)] =
                &[$((Self::$name, Severity::$severity, $doc),)*];

            /// The stable text form, upper-case words.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How grave a finding of this kind is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    Error FileUnreadable = "FILE_UNREADABLE": "A file is there but can't be opened or read.",
    Error FileNotRegular = "FILE_NOT_REGULAR": "A directory, a pipe or a device stands where a file belongs.",
    Error FileTooLarge = "FILE_TOO_LARGE": "A file is larger than `--max-input-bytes`.",
    Error LinkDangling = "LINK_DANGLING": "A symbolic link leads to nothing.",
    Error LinkOutside = "LINK_OUTSIDE": "A symbolic link leads out of the workspace.",
    Error LinkRefused = "LINK_REFUSED": "A symbolic link stands where the product would write.",
    Error NotUtf8 = "NOT_UTF8": "The bytes are no UTF-8 text.",
    Error JsonSyntax = "JSON_SYNTAX": "The text is no well-formed JSON.",
    Error YamlSyntax = "YAML_SYNTAX": "The text is no YAML that can be read.",
    Error KeyMissing = "KEY_MISSING": "A JSON object lacks the key that carries the value.",
    Error KeyDuplicate = "KEY_DUPLICATE": "A JSON object names the same key twice.",
    Error KeyUnknown = "KEY_UNKNOWN": "A policy document has a key that means nothing.",
    Error ValueType = "VALUE_TYPE": "A value is of another type than expected.",
    Error ValueRange = "VALUE_RANGE": "A number lies outside its range.",
    Error ValueUnknown = "VALUE_UNKNOWN": "A word is none of those expected.",
    Error MetaBlockInvalid = "META_BLOCK_INVALID": "The block of comment that says what a document is can't be read.",
    Error DocumentUnknown = "DOCUMENT_UNKNOWN": "A document is of no kind that this program knows.",
    Error NameDuplicate = "NAME_DUPLICATE": "Two entries of a document have the same name.",
    Error QuantityUnreadable = "QUANTITY_UNREADABLE": "A length of time, an amount or a threshold is written in a form that can't be read.",
    Warning KeyUnread = "KEY_UNREAD": "A document of another system has a key that means nothing here; it is shown and not read.",
    Warning MaturityDiffers = "MATURITY_DIFFERS": "A module is declared more mature than the boxes ticked in its document make it.",
    Warning BelowFloor = "BELOW_FLOOR": "A document declares less security than this program keeps whatever is declared.",
    Warning EnforcementWeak = "ENFORCEMENT_WEAK": "A document asks for less than strict enforcement, which nothing that guards a record or a gate has.",
    Warning RulesConflict = "RULES_CONFLICT": "Of two rules on one condition one allows and one denies.",
    Warning RuleShadowed = "RULE_SHADOWED": "A rule allows what another one always denies, so it changes nothing.",
    Warning RuleNeverHolds = "RULE_NEVER_HOLDS": "The condition of a rule and the scope of its document contradict each other or themselves, so it never speaks.",
    Warning RegoDialect = "REGO_DIALECT": "A Rego module is written in a form that Open Policy Agent refuses.",
    Error FixtureUnusable = "FIXTURE_UNUSABLE": "A fixture of the policies for requests can't be used.",
    Error FixtureMissing = "FIXTURE_MISSING": "A label, a rule or an exception has no fixture that tests it.",
    Error PolicyHygiene = "POLICY_HYGIENE": "Something stands in `policy/` that is no policy: data, or more than anybody reviews.",
    Error PolicySilent = "POLICY_SILENT": "Policies for requests were changed, and none of their fixtures or tests.",
    Error RegoInvalid = "REGO_INVALID": "A Rego module or its data can't be used.",
    Error RegoEntryUnknown = "REGO_ENTRY_UNKNOWN": "An entry point of the Rego policies names no rule, or there is none.",
    Error BundleInvalid = "BUNDLE_INVALID": "A bundle of Rego policies can't be used.",
    Error CsvSyntax = "CSV_SYNTAX": "The text is no well-formed CSV.",
    Error ColumnMissing = "COLUMN_MISSING": "A CSV header lacks the column that carries the value.",
    Error ColumnDuplicate = "COLUMN_DUPLICATE": "A CSV header names the same column twice.",
    Error RowWidth = "ROW_WIDTH": "A CSV row has another number of fields than the header.",
    Error LineNotObject = "LINE_NOT_OBJECT": "A line of a JSONL file is no JSON object.",
    Error LineTooLong = "LINE_TOO_LONG": "A line is longer than `--max-input-bytes`.",
    Error PolicyContradiction = "POLICY_CONTRADICTION": "Parts of a policy document contradict each other.",
    Error PolicyAmbiguous = "POLICY_AMBIGUOUS": "Two policy documents, or two declarations of responses, stand side by side, or one document under a name that is not read.",
    Error ConditionInvalid = "CONDITION_INVALID": "A condition in CEL can't be used.",
    Warning PolicyMisplaced = "POLICY_MISPLACED": "A file at the top of the workspace is named like a policy document, and is not read there.",
    Warning WaiverExpired = "WAIVER_EXPIRED": "A waiver has expired; its trigger counts again.",
    Warning WaiverUnused = "WAIVER_UNUSED": "A waiver's trigger did not fire, so the waiver did nothing.",
    Warning NumberAsText = "NUMBER_AS_TEXT": "A number was written as text.",
    Warning PercentSign = "PERCENT_SIGN": "A number was written with a trailing percent sign.",
    Warning LooksLikeFraction = "LOOKS_LIKE_FRACTION": "A percentage of at most 1 may be meant as a fraction; it is taken as it stands.",
    Warning SourcesDisagree = "SOURCES_DISAGREE": "Two places name the value and differ; the worse one counts.",
    Warning TimeUnreadable = "TIME_UNREADABLE": "A time can't be read.",
    Warning TimeNaive = "TIME_NAIVE": "A time names no offset and is taken as UTC.",
    Warning TimeInFuture = "TIME_IN_FUTURE": "A time lies after the evaluation time.",
    Warning TornLastLine = "TORN_LAST_LINE": "The last line of a JSONL input was cut while it was written; it counts as one entry.",
    Warning WorkspaceEmpty = "WORKSPACE_EMPTY": "None of the signals is there: perhaps this is the wrong directory.",
    Warning TimeBackwards = "TIME_BACKWARDS": "The evaluation time lies before that of the last recorded decision.",
    Warning StateMended = "STATE_MENDED": "The state file was behind the journal, as after a kill, and was mended.",
    Warning TornTailMoved = "TORN_TAIL_MOVED": "The journal ended in a line that was never finished; it was moved aside.",
    Warning JournalAdopted = "JOURNAL_ADOPTED": "A journal that began as a plain log is chained from here on.",
    Warning LookCut = "LOOK_CUT": "A sealed segment is gone or changed, so a decision looks back only as far as it.",
    Error JournalBroken = "JOURNAL_BROKEN": "The journal is not what the last decision left behind.",
    Error JournalWhole = "JOURNAL_WHOLE": "The journal is not broken, so there is nothing to go on behind.",
    Error LineChanged = "LINE_CHANGED": "A line's bytes are not those that the line after it names.",
    Error LineUnreadable = "LINE_UNREADABLE": "A line of a journal is no record.",
    Error LineOrder = "LINE_ORDER": "A line's number is not the one that follows.",
    Error EndCut = "END_CUT": "The journal ends before the record that the head names.",
    Error HeadDiffers = "HEAD_DIFFERS": "The record that the head names has other bytes.",
    Error StateDiffers = "STATE_DIFFERS": "The state file says something else than the record that it names.",
    Error DecisionDiffers = "DECISION_DIFFERS": "Deciding again from a record gives another result than was recorded.",
    Error RecordDiffers = "RECORD_DIFFERS": "A line records the decision that deciding again gives, in other bytes.",
    Error HistoryIncomplete = "HISTORY_INCOMPLETE": "A part of the recorded history is not there, so it is not decided again.",
    Error TimeMissing = "TIME_MISSING": "Recorded inputs tell no time.",
    Error SignatureWrong = "SIGNATURE_WRONG": "A line's signature is not the one that the key gives.",
    Error SignatureMissing = "SIGNATURE_MISSING": "An unsigned line follows a signed one.",
    Error KeyNotRotated = "KEY_NOT_ROTATED": "A journal is signed with an old key and was not handed over to the new one.",
    Error SegmentChanged = "SEGMENT_CHANGED": "A sealed segment is gone or has other bytes than its successor names.",
    Error PolicyCopyChanged = "POLICY_COPY_CHANGED": "A kept policy document is gone or has other bytes than its name says.",
    Error WriteFailed = "WRITE_FAILED": "A file could not be written.",
    Error NotDurable = "NOT_DURABLE": "The file system would not confirm that a write is on the disk.",
    Error LockHeld = "LOCK_HELD": "Another process holds the workspace's lock.",
    Error SecretMissing = "SECRET_MISSING": "The journal is signed, and no signing secret is set.",
    Error SecretUnusable = "SECRET_UNUSABLE": "The signing secret can't be used.",
    Error KeyUnusable = "KEY_UNUSABLE": "A key of an asymmetric signature can't be used: another kind, another form, or damaged.",
    Error KeyLocked = "KEY_LOCKED": "A private key is encrypted, and no password or another one is set.",
    Error KeyExposed = "KEY_EXPOSED": "A private key that is not encrypted can be read or replaced by others than its owner.",
    Error KeyAbsent = "KEY_ABSENT": "Something is to be signed, and no variable names a private key.",
    Error VaultUnusable = "VAULT_UNUSABLE": "What the environment says of Vault, or of its simulation, can't be used.",
    Error VaultUnavailable = "VAULT_UNAVAILABLE": "Vault can't be reached, is sealed or simulated, does not answer as Vault does, or this program was built without it.",
    Error VaultRefused = "VAULT_REFUSED": "Vault answered, and did not do what was asked: the token, its rights, the path, or what stands there.",
    Error EnvelopeUnreadable = "ENVELOPE_UNREADABLE": "A file is no DSSE envelope, or not one with the statement that belongs there.",
    Error NoteUnreadable = "NOTE_UNREADABLE": "A file is no signed note, or not one with the text that belongs there.",
    Error AttestationUnsigned = "ATTESTATION_UNSIGNED": "None of the given keys signed a statement, or it was changed since.",
    Error AttestationDiffers = "ATTESTATION_DIFFERS": "A signed statement contradicts itself or the journal.",
    Error CheckpointUnsigned = "CHECKPOINT_UNSIGNED": "The given key did not sign a checkpoint, or it was changed since.",
    Error FormatNewer = "FORMAT_NEWER": "A file was written by a newer version.",
    Error StateUnreadable = "STATE_UNREADABLE": "The state file can't be read.",
    Warning FindingsCut = "FINDINGS_CUT": "A run found more than a record of it lists; standard error has all.",
    Error ReportRefused = "REPORT_REFUSED": "A report or the file of metrics can't go where it was asked for; nothing was decided.",
    Warning ReportFailed = "REPORT_FAILED": "A report or the file of metrics could not be written; the decision stands.",
    Warning FixBranchFailed = "FIX_BRANCH_FAILED": "The fix branch could not be made.",
    Error NothingRecorded = "NOTHING_RECORDED": "No decision was recorded here yet.",
    Error UnlockLimit = "UNLOCK_LIMIT": "As many manual unlocks were made today as are allowed.",
    Warning UnreadableMoved = "UNREADABLE_MOVED": "A safeguard's file could not be read; it was moved aside, and a new one stands in its place.",
    Warning LockFileGone = "LOCK_FILE_GONE": "The trust guard's journal says locked, and its state file is gone.",
    Warning MarkerFailed = "MARKER_FAILED": "The marker in the summary could not be set; what it would have said is recorded.",
    Error KillSwitchOn = "KILL_SWITCH_ON": "The kill switch is on, or can't be read, so nothing is changed.",
    Error AnchorMissing = "ANCHOR_MISSING": "There is no integrity anchor to mirror.",
    Error AnchorChainBroken = "ANCHOR_CHAIN_BROKEN": "An entry of the chain of anchors does not hold.",
    Error SnapshotBroken = "SNAPSHOT_BROKEN": "A snapshot is not what its recorded digest names.",
    Error UndoFileBroken = "UNDO_FILE_BROKEN": "An undo file or what it keeps is not what the journal of responses names.",
    Error UndoRefused = "UNDO_REFUSED": "A file was changed since, so that an undo would destroy somebody's work.",
    Error UndoUnknown = "UNDO_UNKNOWN": "There is nothing of that name to undo.",
    Error ActionFailed = "ACTION_FAILED": "An action did not end well.",
    Warning ResponseInterrupted = "RESPONSE_INTERRUPTED": "A response was begun and cut off, and nobody knows what its last action did.",
    Error ConditionUnknown = "CONDITION_UNKNOWN": "What an alert asks for could not be looked at; the alert stays as it was.",
    Warning AlertStateLost = "ALERT_STATE_LOST": "The state of the alerts was not there or could not be read, and was made again from their log.",
    Warning NotificationFailed = "NOTIFICATION_FAILED": "A hook could not be told of an alert; the next run tries again.",
    Error VersionUnknown = "VERSION_UNKNOWN": "There is no version of the policy of that name, or more than one.",
    Error VersionChanged = "VERSION_CHANGED": "A file of a policy version is gone or has other bytes than were recorded.",
    Error VersionUnusable = "VERSION_UNUSABLE": "A document can't become a version of the policy.",
    Error StepDenied = "STEP_DENIED": "A version of the policy can't take this step from where it stands.",
    Error ApprovalMissing = "APPROVAL_MISSING": "What was asked for lacks an approval, or the same person would give both.",
    Error ApprovalRefused = "APPROVAL_REFUSED": "An approval can't be given or used: by another person, for something else, or at another time.",
    Error ApprovalUnknown = "APPROVAL_UNKNOWN": "There is no request or override of that id that could still be answered or used.",
    Error ApproversUnusable = "APPROVERS_UNUSABLE": "The list of approvers is not there or can't be used, so that nobody can approve.",
    Error OverrideRefused = "OVERRIDE_REFUSED": "An override can't be given or used: by another person, with another code, for something else, or at another time.",
    Error OverrideLocked = "OVERRIDE_LOCKED": "Too many wrong codes were given for overrides, so that none is looked at for a while.",
    Error LibraryIncomplete = "LIBRARY_INCOMPLETE": "A policy library lacks a policy or a part of one, or says it otherwise than this program.",
    Error CheckMissing = "CHECK_MISSING": "A version of the policy has not passed every check.",
    Error MonitoringIncomplete = "MONITORING_INCOMPLETE": "A staged version was not watched for long enough, or decided nothing yet.",
    Error CriterionViolated = "CRITERION_VIOLATED": "A staged version violates one of its rollback criteria.",
    Error SwitchCutOff = "SWITCH_CUT_OFF": "A switch of the policy was recorded and cut off before it was made.",
    Error PolicyEdited = "POLICY_EDITED": "What decides is not the version that was promoted.",
    Error PolicyTampered = "POLICY_TAMPERED": "A protected file, the manifest or the record behind it was changed, and nobody accepted that.",
    Error LockRefused = "LOCK_REFUSED": "Something can't be locked or accepted.",
    Error NotLocked = "NOT_LOCKED": "The policies are not locked.",
    Error SecondPersonMissing = "SECOND_PERSON_MISSING": "A second person has to approve this, and nobody did.",
    Error PiiForbidden = "PII_FORBIDDEN": "Personal data was asked for, without the scope `pii:read` or a second person's approval.",
    Error SimulationForbidden = "SIMULATION_FORBIDDEN": "Vault is simulated or not there, and in production this is not done without it.",
    Warning LockUnrecorded = "LOCK_UNRECORDED": "No record, or no key that is set, speaks for the manifest of the protected files.",
    Warning LockMended = "LOCK_MENDED": "A change of the manifest was cut off; what was recorded counts.",
    Warning ModeMended = "MODE_MENDED": "A protected file was not read-only any more, as after a checkout; its bytes are those that were accepted.",
    Warning GuardWeakened = "GUARD_WEAKENED": "A policy document switches the guard off, or lets work go on after tampering; in production that does not count.",
    Warning RefusalUnrecorded = "REFUSAL_UNRECORDED": "What was refused could not be recorded; it is refused all the same.",
    Error GitUnreadable = "GIT_UNREADABLE": "The git repository can't be read.",
    Warning ShadowFailed = "SHADOW_FAILED": "A staged version could not be tried, or what it would have decided could not be recorded.",
    Warning PortalBehind = "PORTAL_BEHIND": "The portal's data could not be brought up to date; decisions and responses are recorded all the same.",
    Error ListenFailed = "LISTEN_FAILED": "The portal's server can't listen at its address.",
    Error FeatureMissing = "FEATURE_MISSING": "The program was built without something that a document asks for.",
    Error AllowanceInvalid = "ALLOWANCE_INVALID": "A line of the list of allowed findings can't be read.",
    Warning AllowanceUnused = "ALLOWANCE_UNUSED": "A line of the list of allowed findings allows nothing any more.",
    Error ScanIncomplete = "SCAN_INCOMPLETE": "There are more files than a scan looks at.",
    Warning EvidenceUnwise = "EVIDENCE_UNWISE": "A piece of declared evidence has run out, is to be looked at again, or counts for very long.",
    Warning RetentionUnwise = "RETENTION_UNWISE": "A rule of retention changes nothing, or can't be kept.",
    Warning PolicyConflict = "POLICY_CONFLICT": "Two policy documents say different things about the same; the stricter one counts.",
    Error WorkspaceAbsent = "WORKSPACE_ABSENT": "The workspace is no directory.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A place in a file of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file, relative to the workspace, with `/` between its parts.
    pub file: String,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The byte within the line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The value within the document: `$.peers[3].score` or a column's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: readable(&file.into(), 3 * SHOWN),
            ..Self::default()
        }
    }

    /// A line of the file, counted from 1.
    pub fn line(file: impl Into<String>, line: u64) -> Self {
        Self {
            line: Some(line),
            ..Self::file(file)
        }
    }

    /// The same place, narrowed to a byte of the line, counted from 1.
    #[must_use]
    pub fn column(self, column: u64) -> Self {
        Self {
            column: Some(column),
            ..self
        }
    }

    /// The same place, narrowed to a value within the document.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(readable(&path.into(), SHOWN)),
            ..self
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        match &self.path {
            Some(path) => write!(f, " at `{path}`"),
            None => Ok(()),
        }
    }
}

/// One finding, complete: place, what was found, what was expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of finding it is.
    pub code: Code,
    /// Where.
    pub place: Place,
    /// What is wrong, in a clause that starts in lower case and ends without a full stop.
    pub message: String,
    /// What was found, cut to a readable length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding at a place.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        let message = quoted(&message.into(), 3 * SHOWN);
        Self {
            code,
            place,
            message,
            found: None,
            expected: None,
            help: None,
        }
    }

    /// Adds what was found, without personal data and secrets. Long text is cut, and control
    /// characters are made visible.
    #[must_use]
    pub fn found(self, found: impl AsRef<str>) -> Self {
        Self {
            found: Some(quoted(found.as_ref(), SHOWN)),
            ..self
        }
    }

    /// Adds what was expected.
    #[must_use]
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: Some(expected.into()),
            ..self
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// How grave it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Diagnostic {
    /// One line: code, place, message, what was found and expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.place, self.message)?;
        if let Some(found) = &self.found {
            write!(f, "; found {found}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// Warnings of one reading. They are made only while there is room for them: in a file with a
/// million odd values twenty are enough, and finding the place of each would take for ever.
#[derive(Debug, Default)]
pub struct Warnings(Vec<Diagnostic>);

impl Warnings {
    /// How many are kept.
    pub const ENOUGH: usize = 20;

    /// Adds the warning that `make` makes, while there is room.
    pub fn add(&mut self, make: impl FnOnce() -> Diagnostic) {
        if self.0.len() < Self::ENOUGH {
            self.0.push(make());
        }
    }

    /// The warnings.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}

/// The result of something that fails with one finding.
pub type Checked<T> = Result<T, Box<Diagnostic>>;

/// How many characters of a found value are shown.
const SHOWN: usize = 100;

/// Text from a file as a diagnostic quotes it: what a signal says is shown and committed, what it says
/// of a person is not.
fn quoted(text: &str, length: usize) -> String {
    /// No address or number that begins in what is shown goes on for longer.
    const BEYOND: usize = 400;
    let end = text.char_indices().nth(length + BEYOND);
    let head = end.and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    readable(&Redaction::new().text(head), length)
}

/// Text from a file or a person as it may be shown: cut to a bounded length, and unable to steer a
/// terminal.
pub fn shown(text: &str) -> String {
    readable(text, 3 * SHOWN)
}

/// The first `length` characters of a text from elsewhere, with nothing in it that steers a terminal.
pub fn readable(text: &str, length: usize) -> String {
    let mut shown: String = text.chars().take(length).flat_map(visible).collect();
    if text.chars().nth(length).is_some() {
        shown.push('…');
    }
    shown
}

/// The help that names the nearest of the words that are known, where one is near.
pub fn suggestion<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let nearest = nearest(word, known)?;
    Some(format!("did you mean `{}`?", readable(nearest, SHOWN)))
}

/// The nearest of the words that are known, where one is near.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    /// The work grows with both lengths, and the word may come from a file.
    const LONGEST: usize = 64;
    const MOST: usize = 1000;
    let length = word.chars().count();
    // Of a single letter everything is near.
    if word.len() > LONGEST || length < 2 {
        return None;
    }
    let lower = word.to_lowercase();
    let (far, nearest) = known
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            let far = strsim::damerau_levenshtein(&candidate.to_lowercase(), &lower);
            (far, candidate)
        })
        .min_by_key(|(far, _)| *far)?;
    // Most of a short word has to be right.
    (far <= (length / 3).clamp(1, 3)).then_some(nearest)
}

fn visible(character: char) -> Vec<char> {
    // A file's content must not be able to steer a terminal or end a workflow's log line, nor to
    // reorder what a person reads (Unicode's bidirectional controls).
    let steering = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if character.is_control() || steering {
        character.escape_default().collect()
    } else {
        vec![character]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Code::DOCUMENTED
            .iter()
            .map(|(code, ..)| code.as_str())
            .collect();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn found_text_is_cut_and_can_steer_no_terminal() {
        let finding = Diagnostic::new(Code::ValueType, Place::file("a.json"), "odd")
            .found(format!("\u{1b}[2J{}", "x".repeat(200)));
        let found = finding.found.unwrap();
        assert!(found.starts_with("\\u{1b}[2J"));
        assert!(found.ends_with('…'));
        assert!(found.chars().count() < 120);
    }

    #[test]
    fn a_misspelt_word_names_its_neighbour() {
        let cases = [
            ("Yellow_integrty", Some("yellow_integrity")),
            ("nme", Some("name")),
            ("orange", None),
            ("x", None),
            ("", None),
        ];
        assert_eq!(nearest("x", ["y"]), None);
        for (word, neighbour) in cases {
            let help = neighbour.map(|neighbour| format!("did you mean `{neighbour}`?"));
            assert_eq!(
                suggestion(word, ["yellow_integrity", "name"]),
                help,
                "{word}"
            );
        }
        let long = "x".repeat(1 << 20);
        assert_eq!(suggestion(&long, [long.as_str()]), None);
    }

    #[test]
    fn a_place_names_line_column_and_path() {
        let place = Place::line("a.json", 3).column(7).path("$.peers[1]");
        assert_eq!(place.to_string(), "a.json:3:7 at `$.peers[1]`");
    }
}
