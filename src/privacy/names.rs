//! Names of fields and variables that say what stands behind them.

use super::pairs::Pairs;

/// What the value of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something that tells who somebody is, or how to reach or charge them.
    Personal,
    /// A password: short, perhaps, and made of words.
    Password,
    /// A token or a key: long and random.
    Secret,
}

/// The last words of a name, joined. Some are common as ends of other names, so they are whole names
/// only: those stand in [`WHOLE`].
const ENDINGS: &[(&str, Meaning)] = &[
    ("email", Meaning::Personal),
    ("emailaddress", Meaning::Personal),
    ("emailaddr", Meaning::Personal),
    ("mailaddress", Meaning::Personal),
    ("phone", Meaning::Personal),
    ("phonenumber", Meaning::Personal),
    ("phoneno", Meaning::Personal),
    ("telephone", Meaning::Personal),
    ("telephonenumber", Meaning::Personal),
    ("telefone", Meaning::Personal),
    ("celular", Meaning::Personal),
    ("whatsapp", Meaning::Personal),
    ("mobilenumber", Meaning::Personal),
    ("faxnumber", Meaning::Personal),
    ("ssn", Meaning::Personal),
    ("socialsecurity", Meaning::Personal),
    ("socialsecuritynumber", Meaning::Personal),
    ("nationalid", Meaning::Personal),
    ("taxid", Meaning::Personal),
    ("passportnumber", Meaning::Personal),
    ("cpf", Meaning::Personal),
    ("cnpj", Meaning::Personal),
    ("creditcard", Meaning::Personal),
    ("creditcardnumber", Meaning::Personal),
    ("debitcard", Meaning::Personal),
    ("cardnumber", Meaning::Personal),
    ("cardno", Meaning::Personal),
    ("ccnumber", Meaning::Personal),
    ("cvv", Meaning::Personal),
    ("cvc", Meaning::Personal),
    ("iban", Meaning::Personal),
    ("dateofbirth", Meaning::Personal),
    ("birthdate", Meaning::Personal),
    ("datanascimento", Meaning::Personal),
    ("firstname", Meaning::Personal),
    ("lastname", Meaning::Personal),
    ("fullname", Meaning::Personal),
    ("streetaddress", Meaning::Personal),
    ("homeaddress", Meaning::Personal),
    ("postaladdress", Meaning::Personal),
    ("password", Meaning::Password),
    ("passwd", Meaning::Password),
    ("pwd", Meaning::Password),
    ("passphrase", Meaning::Password),
    ("senha", Meaning::Password),
    ("secret", Meaning::Secret),
    ("secretkey", Meaning::Secret),
    ("secretkeybase", Meaning::Secret),
    ("secretaccesskey", Meaning::Secret),
    ("accesskey", Meaning::Secret),
    ("accountkey", Meaning::Secret),
    ("apikey", Meaning::Secret),
    ("authkey", Meaning::Secret),
    ("encryptionkey", Meaning::Secret),
    ("privatekey", Meaning::Secret),
    ("signingkey", Meaning::Secret),
    ("token", Meaning::Secret),
    ("authtoken", Meaning::Secret),
    ("accesstoken", Meaning::Secret),
    ("bearer", Meaning::Secret),
    ("credential", Meaning::Secret),
    ("pat", Meaning::Secret),
];

/// Names that mean something as a whole, and nothing as the end of another.
const WHOLE: &[(&str, Meaning)] = &[
    ("mail", Meaning::Personal),
    ("mobile", Meaning::Personal),
    ("cellphone", Meaning::Personal),
    ("fax", Meaning::Personal),
    ("tel", Meaning::Personal),
    ("dob", Meaning::Personal),
    ("passport", Meaning::Personal),
    ("surname", Meaning::Personal),
    ("auth", Meaning::Secret),
    ("authorization", Meaning::Secret),
];

/// The last two letters of all of them.
static LAST: Pairs = last(WHOLE, last(ENDINGS, Pairs::NONE));

#[expect(clippy::indexing_slicing, reason = "computed while compiling")]
const fn last(all: &[(&str, Meaning)], mut pairs: Pairs) -> Pairs {
    let mut index = 0;
    while index < all.len() {
        let word = all[index].0.as_bytes();
        pairs = pairs.with(word[word.len() - 2], word[word.len() - 1]);
        index += 1;
    }
    pairs
}

/// What a name says: by its last words, in any case and however they are joined, so that
/// `customerEmail`, `E-MAIL` and `user.phone_numbers2` count, and `email_sha256`, `email_count` and
/// `token_id` do not.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let name = name.as_bytes().trim_ascii_end();
    let letters = name.iter().rposition(u8::is_ascii_alphabetic)?;
    let name = name.get(..=letters)?;
    let singular = match name.split_last() {
        Some((b's' | b'S', rest)) => rest,
        _ => name,
    };
    let known = |name: &[u8]| {
        let [.., before, last] = name else {
            return None;
        };
        let (before, last) = (before.to_ascii_lowercase(), last.to_ascii_lowercase());
        // A sign may stand between the letters.
        if before.is_ascii_alphabetic() && !LAST.has(before, last) {
            return None;
        }
        let mut endings = ENDINGS.iter();
        let ending = endings.find(|(ending, _)| begin_of(name, ending).is_some());
        let mut whole = WHOLE.iter();
        let whole = || whole.find(|(word, _)| begin_of(name, word) == Some(0));
        ending.or_else(whole).map(|(_, meaning)| *meaning)
    };
    known(name).or_else(|| known(singular))
}

/// Where the words begin that `name` ends with and that together are `ending`.
fn begin_of(name: &[u8], ending: &str) -> Option<usize> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let mut wanted = ending.bytes().rev().peekable();
    let mut rest = name;
    while let Some((last, before)) = rest.split_last() {
        let begin = before.len();
        rest = before;
        if !is_part(*last) {
            continue;
        }
        if wanted.next() != Some(last.to_ascii_lowercase()) {
            return None;
        }
        if wanted.peek().is_none() {
            return is_begin(name, begin).then_some(begin);
        }
    }
    None
}

/// True where a word begins in a name: after a sign, or with a capital letter that is not one of
/// many.
fn is_begin(name: &[u8], at: usize) -> bool {
    let is = |index: Option<usize>, kind: fn(&u8) -> bool| {
        index.and_then(|index| name.get(index)).is_some_and(kind)
    };
    let before = at.checked_sub(1);
    let capital = is(Some(at), u8::is_ascii_uppercase);
    let joined = is(before, |byte| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii()
    });
    !joined
        || capital && is(before, |byte| !byte.is_ascii_uppercase())
        || capital && is(Some(at + 1), u8::is_ascii_lowercase)
}

/// True for the name of more than one: a number behind it is a count.
pub(super) fn is_plural(name: &str) -> bool {
    name.trim_end_matches(|character: char| !character.is_alphabetic())
        .to_ascii_lowercase()
        .ends_with('s')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_last_words() {
        for name in [
            "email",
            "EMAIL",
            "e-mail",
            "E_Mail",
            "customerEmail",
            "customer_email_address",
            "emails",
            "email2",
            "Phone",
            "phoneNumber",
            "phone_number",
            "user.phone",
            "the_e_mail",
            "URLEmail",
            "SSN",
            "ssn",
            "creditCard",
            "credit_card",
            "CREDIT-CARD",
            "credit card number",
            "cpf",
            "CPF",
            "billing_phone_numbers",
        ] {
            assert_eq!(meaning(name), Some(Meaning::Personal), "{name}");
        }
        for name in ["password", "DB_PASSWORD", "userPassword", "senha"] {
            assert_eq!(meaning(name), Some(Meaning::Password), "{name}");
        }
        for name in [
            "VAULT_TOKEN",
            "apiKey",
            "api_key",
            "APIKEY",
            "aws_secret_access_key",
            "JWT_SECRET",
        ] {
            assert_eq!(meaning(name), Some(Meaning::Secret), "{name}");
        }
        for name in [
            "email_sha256",
            "email_count",
            "emailSentAt",
            "token_id",
            "secret_file",
            "some-mail",
            "password_hash",
            "key",
            "key_id",
            "public_key",
            "hmac",
            "name",
            "phone_verified",
            "microphone",
            "secretary",
            "head",
            "sha256",
            "",
            "___",
            "7",
        ] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }
}
