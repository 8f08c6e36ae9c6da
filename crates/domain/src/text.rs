//! How text is folded, so that searching and sorting do not stumble over case and accents.
//!
//! Folding happens here alone, once, into stored columns: the database compares what this module wrote.

use std::collections::{BTreeMap, HashSet};

use unicode_normalization::{
    UnicodeNormalization,
    char::{compose, is_combining_mark},
};

/// The longest word of a query that takes part in a search.
const LONGEST_WORD: usize = 64;

/// The most words of a query that take part in a search.
pub const MOST_WORDS: usize = 8;

/// Lower case, without accents and ligatures: `Ægir MÜLLER-Groß` becomes `aegir muller-gross`.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkd().filter(|character| !is_accent(*character)) {
        match character {
            // Which of the two is written depends on where it stands in a word.
            'ς' => folded.push('σ'),
            // The marks of Japanese syllables are no accents: with them it is another syllable.
            '\u{3099}' | '\u{309a}' => match folded.chars().last().and_then(|base| compose(base, character)) {
                Some(syllable) => {
                    folded.pop();
                    folded.push(syllable);
                }
                None => folded.push(character),
            },
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => folded.push('d'),
            'þ' | 'Þ' => folded.push_str("th"),
            'ı' => folded.push('i'),
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded
}

/// Whether a mark is left out by those who write in haste: accents, and the points of Hebrew and Arabic. The vowels of other
/// scripts are marks, too, and without them it is another word.
fn is_accent(character: char) -> bool {
    is_combining_mark(character)
        && matches!(character, '\u{300}'..='\u{8ff}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}')
}

/// What a record can be found by: folded words, one space before each, each once.
pub fn search_text<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<String> = parts.into_iter().map(fold).collect();
    let mut seen = HashSet::new();
    let words = parts.iter().flat_map(|part| part.split_whitespace()).filter(|word| seen.insert(*word));
    words.flat_map(|word| [" ", word]).collect()
}

/// The folded words of a query. A telephone number keeps its digits alone, as numbers are stored.
pub fn search_words(query: &str) -> Vec<String> {
    let looks_like_a_number = query.chars().filter(char::is_ascii_digit).count() >= 5
        && query.chars().all(|character| character.is_ascii_digit() || "+-/(). ".contains(character));
    if looks_like_a_number {
        let digits: String = query.chars().filter(char::is_ascii_digit).collect();
        return vec![digits.trim_start_matches('0').to_owned()];
    }
    fold(query)
        .split_whitespace()
        .map(|word| word.chars().take(LONGEST_WORD).collect::<String>())
        .take(MOST_WORDS)
        .collect()
}

/// Texts of a record by field, folded; those that are missing are left out.
pub(crate) fn folded<'a>(
    texts: impl IntoIterator<Item = (&'static str, Option<&'a String>)>,
) -> BTreeMap<String, String> {
    texts.into_iter().filter_map(|(field, text)| text.map(|text| (field.to_owned(), fold(text)))).collect()
}

/// Whether a word of a query is long enough to be looked for anywhere in words. What counts are letters and digits that stand
/// together, as trigrams do: `@x` has as few as `x`.
pub fn is_long(word: &str) -> bool {
    word.split(|character: char| !character.is_alphanumeric()).any(|part| part.chars().count() >= 3)
}

/// What has to stand in the search text of a record for a query to find it literally: parts of words, or their beginnings
/// where they are too short to tell much. Beside longer words, short ones do not count.
pub fn sought_parts(query: &str) -> Vec<String> {
    let mut words = search_words(query);
    words.retain(|word| word.chars().any(char::is_alphanumeric));
    if words.iter().any(|word| is_long(word)) {
        words.retain(|word| is_long(word));
        return words;
    }
    words.iter().map(|word| format!(" {word}")).collect()
}

/// What a name is sorted by: folded, and short enough for an index.
pub fn sort_key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let joined = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    shortened(&fold(&joined))
}

/// The beginning of a folded text, as sort keys have it.
pub(crate) fn shortened(folded: &str) -> String {
    folded.chars().take(120).collect()
}

/// Whether this can be a name for programs: small letters, digits and underscores, beginning with a letter, 63 at most.
pub(crate) fn is_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && key.len() <= 63
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Without space at its ends.
pub fn tidy(text: &mut String) {
    let trimmed = text.trim();
    if trimmed.len() != text.len() {
        *text = trimmed.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_ligatures_do_not_matter() {
        assert_eq!(fold("Ægir MÜLLER-Groß"), "aegir muller-gross");
        assert_eq!(fold("Łódź ŞİŞLİ"), "lodz sisli");
        assert_eq!(fold("ΠΑΠΑΔΌΠΟΥΛΟΣ"), fold("Παπαδόπουλος"));
        assert_eq!((fold("שָׁלוֹם"), fold("مُحَمَّد")), (fold("שלום"), fold("محمد")));
    }

    #[test]
    fn marks_that_make_another_word_stay() {
        for (one, other) in [("राम", "रमा"), ("タカダ", "タカタ"), ("ปี", "ปู"), ("ば", "ぱ")]
        {
            assert_ne!(fold(one), fold(other));
        }
        assert_eq!(fold("ﾀﾞ"), "ダ");
        assert_eq!(fold("\u{3099}x"), "\u{3099}x");
    }

    #[test]
    fn every_word_starts_after_a_space() {
        assert_eq!(search_text(["Anna Maria", "anna", "anna@example.com"]), " anna maria anna@example.com");
    }

    #[test]
    fn short_words_count_where_there_are_no_longer_ones() {
        assert_eq!(sought_parts("Li Müller &"), ["muller"]);
        assert_eq!(sought_parts("Li Ye"), [" li", " ye"]);
        assert!(sought_parts("& -").is_empty());
    }

    #[test]
    fn a_telephone_number_is_searched_by_its_digits() {
        assert_eq!(search_words("+49 (30) 123-456"), ["4930123456"]);
        assert_eq!(search_words("030 123456"), ["30123456"]);
        assert_eq!(search_words("Anna 12"), ["anna", "12"]);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn a_word_of_a_record_is_in_its_search_text(words in proptest::collection::vec("[a-zA-ZäöüßÆéñ]{1,12}", 1..6)) {
            let text = search_text(words.iter().map(String::as_str));
            for word in &words {
                for part in search_words(word) {
                    let needle = format!(" {part}");
                    prop_assert!(text.contains(&needle));
                }
            }
        }
    }
}
