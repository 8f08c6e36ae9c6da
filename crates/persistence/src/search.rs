//! Finding records by parts of words, forgiving typing errors, on a trigram index.

use rapport_domain::text;

use crate::StoreError;

/// A word of a query, in the forms in which it is looked for.
pub(crate) struct Word {
    /// For `LIKE`: a part of a word, or its beginning where the word is too short to have trigrams.
    pub(crate) pattern: String,
    /// For `<%`: words that resemble this one. None where a resemblance would say nothing.
    pub(crate) resembles: Option<String>,
}

/// What a query asks for.
pub(crate) struct Search {
    pub(crate) words: Vec<Word>,
    /// The words as one text, to tell better matches from worse.
    pub(crate) text: String,
}

impl Search {
    /// Reads a query. Short words are searched at the beginning of words alone.
    pub(crate) fn read(query: &str) -> Result<Self, StoreError> {
        let words = text::search_words(query);
        if words.iter().all(|word| !word.chars().any(char::is_alphanumeric)) {
            let detail = "Search for at least one letter or digit.";
            return Err(StoreError::parameter("q", "nothing_to_search", detail));
        }
        let text = words.join(" ");
        Ok(Self { words: words.iter().map(|word| Word::new(word)).collect(), text })
    }
}

impl Word {
    fn new(word: &str) -> Self {
        let escaped = escape(word);
        let letters = word.chars().filter(|character| character.is_alphabetic()).count();
        let digits = word.chars().filter(char::is_ascii_digit).count();
        // Trigrams are those of letters and digits: `@x` has as few as `x`.
        let long_enough =
            word.split(|character: char| !character.is_alphanumeric()).any(|part| part.chars().count() >= 3);
        Self {
            pattern: if long_enough { format!("%{escaped}%") } else { format!("% {escaped}%") },
            resembles: (letters >= 4 && digits == 0).then(|| word.to_owned()),
        }
    }
}

/// What people type is text, not a pattern.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Declares how the words of a search find records of a table: each word by a part, by resemblance, or through a related
/// table (`via`: SQL that takes the pattern once more and yields a condition).
macro_rules! matching {
    ($query:expr, $search:expr, $table:literal) => {{
        use diesel::{
            dsl::sql,
            sql_types::{Bool, Text},
        };
        let mut query = $query;
        for word in &$search.words {
            let part = sql::<Bool>(concat!("(", $table, ".search LIKE ")).bind::<Text, _>(word.pattern.clone());
            query = match &word.resembles {
                Some(resembles) => query.filter(
                    part.sql(" OR ").bind::<Text, _>(resembles.clone()).sql(concat!(" <% ", $table, ".search)")),
                ),
                None => query.filter(part.sql(")")),
            };
        }
        query
    }};
}
pub(crate) use matching;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_no_pattern() {
        let search = Search::read("100%_\\").unwrap();
        assert_eq!(search.words[0].pattern, "%100\\%\\_\\\\%");
    }

    #[test]
    fn short_words_are_beginnings_and_numbers_do_not_resemble() {
        let search = Search::read("li anna +49 30 1").unwrap();
        let forms: Vec<_> =
            search.words.iter().map(|word| (word.pattern.as_str(), word.resembles.as_deref())).collect();
        assert_eq!(
            forms,
            [("% li%", None), ("%anna%", Some("anna")), ("% +49%", None), ("% 30%", None), ("% 1%", None)]
        );
    }

    #[test]
    fn a_query_without_letters_is_refused() {
        assert!(Search::read(" @ ").is_err());
        assert!(Search::read("").is_err());
    }
}
