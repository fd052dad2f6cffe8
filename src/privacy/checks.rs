//! Check digits and number ranges: CPF, CNPJ, social security, payment cards, bank accounts.

/// The digits' values of ASCII digits.
fn values(digits: &[u8]) -> impl DoubleEndedIterator<Item = u32> + '_ {
    digits
        .iter()
        .map(|digit| u32::from(digit.wrapping_sub(b'0')))
}

/// The check digit modulo 11 of `body`, whose weights run from 2 at its end to `highest` and again.
fn modulo_11(body: &[u8], highest: u32) -> u32 {
    let weights = (2..=highest).cycle();
    let sum: u32 = values(body)
        .rev()
        .zip(weights)
        .map(|(value, weight)| value * weight)
        .sum();
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

fn ends_in_two_checks(number: &[u8], highest: u32) -> bool {
    let Some((last, rest)) = number.split_last() else {
        return false;
    };
    let Some((first, body)) = rest.split_last() else {
        return false;
    };
    let value = |digit: u8| u32::from(digit.wrapping_sub(b'0'));
    value(*first) == modulo_11(body, highest) && value(*last) == modulo_11(rest, highest)
}

fn all_alike(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// Eleven digits of which the last two check the others.
pub(super) fn cpf(digits: &[u8]) -> bool {
    digits.len() == 11 && !all_alike(digits) && ends_in_two_checks(digits, 11)
}

/// Fourteen characters of which the last two, digits, check the others; since July 2026 those may
/// be capital letters too.
pub(super) fn cnpj(characters: &[u8]) -> bool {
    let two_digits = characters.iter().skip(12).all(u8::is_ascii_digit);
    characters.len() == 14
        && two_digits
        && !all_alike(characters)
        && ends_in_two_checks(characters, 9)
}

/// Nine digits within the ranges that were or can be given out (Social Security Administration).
pub(super) fn ssn(digits: &[u8]) -> bool {
    let (Some(area), Some(group), Some(serial)) =
        (digits.get(..3), digits.get(3..5), digits.get(5..9))
    else {
        return false;
    };
    let never = area == b"000" || area == b"666" || area.starts_with(b"9");
    // Two numbers that were printed in advertisements.
    let advertised = digits == b"078051120" || digits == b"219099999";
    !never && group != b"00" && serial != b"0000" && !advertised && digits.len() == 9
}

/// True for digits of a length and with a beginning that payment cards have, and Luhn's check digit.
pub(super) fn card(digits: &[u8]) -> bool {
    let beginning = |length: usize| {
        let head = values(digits).take(length);
        head.fold(0, |number, value| number * 10 + value)
    };
    let one = beginning(1);
    let (two, three, four) = (beginning(2), beginning(3), beginning(4));
    let issued = match digits.len() {
        13 => one == 4,
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37) || matches!(four, 2131 | 1800),
        16 => matches!(one, 4..=6) || matches!(four, 2221..=2720 | 3528..=3589 | 3841),
        17 | 18 => matches!(two, 50 | 56..=69),
        19 => one == 4 || matches!(two, 50 | 56..=69),
        _ => false,
    };
    issued && !all_alike(digits) && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = values(digits)
        .rev()
        .enumerate()
        .map(|(index, value)| match index % 2 {
            0 => value,
            _ => value * 2 / 10 + value * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// How long the account numbers of a country are (ISO 13616 registry).
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// How long an account number is whose country is that.
pub(super) fn iban_length(country: &[u8]) -> Option<usize> {
    let mut lengths = IBAN_LENGTHS.iter();
    let found = lengths.find(|(code, _)| country == code.as_slice());
    found.map(|(_, length)| *length)
}

/// ISO 7064, modulo 97: of characters without blanks, the country first.
pub(super) fn iban(characters: &[u8]) -> bool {
    let Some((head, body)) = characters.split_at_checked(4) else {
        return false;
    };
    let rest = body.iter().chain(head).try_fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36)?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((rest * shift + value) % 97)
    });
    rest == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_of_published_examples() {
        // Receita Federal's examples, the second with letters.
        assert!(cnpj(b"11222333000181"));
        assert!(cnpj(b"12ABC34501DE35"));
        assert!(!cnpj(b"12ABC34501DE36"));
        assert!(!cnpj(b"00000000000000"));
        assert!(cpf(b"11144477735"));
        assert!(cpf(b"52998224725"));
        assert!(!cpf(b"52998224735"));
        assert!(!cpf(b"11111111111"));
        // The examples of the registry and of the networks' test pages.
        for number in [
            "GB82WEST12345698765432",
            "DE89370400440532013000",
            "BR1800360305000010009795493C1",
        ] {
            assert!(iban(number.as_bytes()), "{number}");
        }
        assert!(!iban(b"GB82WEST12345698765433"));
        for number in [
            "4111111111111111",
            "5555555555554444",
            "378282246310005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "2223003122003222",
            "4222222222222",
        ] {
            assert!(card(number.as_bytes()), "{number}");
        }
        assert!(!card(b"4111111111111112"));
    }

    #[test]
    fn ranges_that_were_never_given_out() {
        assert!(ssn(b"123456789"));
        for number in [
            "000123456",
            "666123456",
            "900123456",
            "123004567",
            "123450000",
            "078051120",
        ] {
            assert!(!ssn(number.as_bytes()), "{number}");
        }
    }
}
