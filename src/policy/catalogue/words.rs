//! The words that several kinds of documents share: how strictly, how grave, to what effect.

/// How strictly a rule is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It happens, and is recorded.
    Monitor,
    /// It happens, and somebody is told.
    Warn,
    /// What breaks the rule does not happen.
    Strict,
}

impl Mode {
    /// The word in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Warn => "warn",
            Self::Monitor => "monitor",
        }
    }

    /// The words in a document.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("strict", Self::Strict),
        ("warn", Self::Warn),
        ("monitor", Self::Monitor),
    ];
}

/// How grave something is. Documents write it in any case; we write it in capitals (row C-52).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Can wait.
    Low,
    /// Should not wait for long.
    Medium,
    /// Should not wait.
    High,
    /// Now.
    Critical,
}

impl Severity {
    /// The words in a document, in lower case.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("info", Self::Info),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];

    /// The word that we write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// What a rule comes to where its condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The request is granted, unless another rule denies it.
    Allow,
    /// The request is denied, whatever else grants it.
    Deny,
}

impl Effect {
    /// The words in a document.
    pub const WORDS: [(&'static str, Self); 2] = [("allow", Self::Allow), ("deny", Self::Deny)];
}
