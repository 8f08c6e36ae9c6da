//! What a password has to be like.

use crate::problem::Fields;

/// Characters that a new password needs at least.
pub const SHORTEST: usize = 12;

/// Characters that a password may have at most.
pub const LONGEST: usize = 1024;

/// Those long enough that leaked passwords have most often, without case. Each also counts with anything but letters
/// behind it.
const COMMON: &[&str] = &[
    "1234567890",
    "0123456789",
    "0987654321",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "abcdefghijkl",
    "adminadminadmin",
    "administrator",
    "basketball",
    "changemechangeme",
    "iloveyouiloveyou",
    "iloveyou",
    "letmeinletmein",
    "letmein",
    "monkeymonkey",
    "passwordpassword",
    "password",
    "passwort",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "qazwsxedcrfv",
    "qwertyqwerty",
    "qwertyuiop",
    "qwertyuiopasdf",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "rapport",
    "sunshine",
    "superman",
    "trustno1",
    "welcome",
    "whatever",
];

/// Refuses a password that is too short, too long, or among the first that anybody would try.
pub fn check(password: &str, email: &str, pointer: &str, fields: &mut Fields) {
    let length = password.chars().count();
    if length < SHORTEST {
        let detail = format!("A password needs at least {SHORTEST} characters. Several words are easy to remember.");
        fields.refuse(pointer, "too_short", detail);
    } else if length > LONGEST {
        fields.refuse(pointer, "too_long", format!("A password has at most {LONGEST} characters."));
    } else if is_address(password, email) {
        fields.refuse(pointer, "guessable", "Your e-mail address is no password. Choose something nobody knows.");
    } else if is_common(password) {
        fields.refuse(pointer, "guessable", "This password is among the first to be tried. Choose another one.");
    }
}

fn is_address(password: &str, email: &str) -> bool {
    let (password, email) = (password.trim().to_lowercase(), email.trim().to_lowercase());
    !email.is_empty() && password == email
}

fn is_common(password: &str) -> bool {
    let folded = password.trim().to_lowercase();
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    let is_plain = |rest: &str| !rest.chars().any(char::is_alphabetic);
    different.len() < 4 || COMMON.iter().any(|common| folded.strip_prefix(common).is_some_and(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(password: &str) -> Vec<String> {
        let mut fields = Fields::default();
        check(password, "Mara.Weiss@example.com", "/password", &mut fields);
        let problems = fields.verdict().err().map(|invalid| invalid.into_problems()).unwrap_or_default();
        problems.into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn what_is_first_to_be_guessed_is_refused() {
        for guessable in
            ["password1234", "Password!2026", "123456789012", "aaaaaaaaaaaa", "abababababab", "mara.weiss@EXAMPLE.com"]
        {
            assert_eq!(codes(guessable), ["guessable"], "{guessable}");
        }
    }

    #[test]
    fn only_length_and_being_unguessed_count() {
        assert_eq!(codes("elevenchars"), ["too_short"]);
        assert_eq!(codes(&"äöüß".repeat(257)), ["too_long"]);
        for fine in
            ["correct horse battery staple", "twelve chars", "äöüßéèêëñçøå", &"äöüß".repeat(256), "password of mine"]
        {
            assert_eq!(codes(fine), Vec::<String>::new(), "{fine}");
        }
    }
}
