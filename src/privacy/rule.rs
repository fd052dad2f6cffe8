//! What can be found in a text: the rules by name.

macro_rules! rules {
    ($($name:ident = $text:literal, $kind:ident: $meaning:literal,)*) => {
        /// What a stretch of a text was recognised as. The text form is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $meaning] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it finds, in words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// True for secrets, false for personal data.
            pub fn is_secret(self) -> bool {
                match self { $(Self::$name => matches!(Kind::$kind, Kind::Secret),)* }
            }
        }
    };
}

enum Kind {
    Secret,
    Personal,
}

rules! {
    Email = "email", Personal: "an e-mail address",
    Phone = "phone", Personal: "a phone number",
    Ssn = "ssn", Personal: "a US social security number",
    Cpf = "cpf", Personal: "a Brazilian CPF number",
    Cnpj = "cnpj", Personal: "a Brazilian CNPJ number",
    Card = "credit-card", Personal: "a number of a payment card",
    Iban = "iban", Personal: "an international bank account number",
    Field = "personal-field", Personal: "the value of a field whose name says that it is personal",
    PrivateKey = "private-key", Secret: "a private key in PEM form",
    AwsKey = "aws-access-key", Secret: "an access key of AWS",
    GitHub = "github-token", Secret: "a token of GitHub",
    GitLab = "gitlab-token", Secret: "a token of GitLab",
    Slack = "slack-token", Secret: "a token or a web hook of Slack",
    ApiKey = "api-key", Secret: "a key or token whose beginning tells the service that issued it",
    Jwt = "jwt", Secret: "a JSON web token",
    Bearer = "authorization", Secret: "credentials of an HTTP request",
    UrlPassword = "url-password", Secret: "a password in an address",
    Assigned = "assigned-secret", Secret: "a value that looks random, given to a name that sounds like a secret",
    DefaultSecret = "published-default", Secret: "a default secret that was published",
}
