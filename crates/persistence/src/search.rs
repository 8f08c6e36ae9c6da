//! Finding records by parts of words, forgiving typing errors, on a trigram index.
//!
//! A search is first literal: every word has to be a part of a word of the record. Only where that finds nothing, words
//! that resemble each other are taken for the same. So what was typed right is answered precisely and fast, and what was
//! typed wrong is answered all the same.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    sql_types,
};
use rapport_domain::text;
use uuid::Uuid;

use crate::{Page, Reader, StoreError, expression::expression, page::PageRequest, visibility::Within};

/// How alike words have to be, from one try to the next, as the trigrams they share: first they have to be the same,
/// then `katarina` is `katharina` (0.58), at last `smiht` is `smith` (0.33).
pub(crate) const LIKENESSES: &[f32] = &[1.0, 0.45, 0.3];

/// Searches literally and then ever more forgivingly, until a page holds something. A later page goes on as the first
/// one ended.
pub(crate) fn until_found<T>(
    reader: &mut Reader<'_>,
    words: &str,
    request: PageRequest,
    page: impl Fn(&mut Reader<'_>, &Search, &PageRequest) -> Result<Page<T>, StoreError>,
) -> Result<Page<T>, StoreError> {
    let find = |reader: &mut Reader<'_>, request: &PageRequest| {
        let search = Search::read(words, request.likeness())?;
        reader.searching(request.likeness(), |reader| page(reader, &search, request))
    };
    let mut found = find(reader, &request)?;
    for request in LIKENESSES.iter().filter_map(|likeness| request.forgiving(*likeness)) {
        if !found.data.is_empty() {
            break;
        }
        found = find(reader, &request)?;
    }
    Ok(found)
}

/// A word of a query, in the forms in which it is looked for.
#[derive(Clone, Debug)]
struct Word {
    /// A part of a word, or its beginning where the word is too short to have trigrams.
    part: String,
    /// The beginning of a word.
    beginning: String,
    /// A whole word.
    whole: String,
    /// Whether it is long enough for an index to find it anywhere.
    is_long: bool,
    /// For `<%`: words that resemble this one. None where a resemblance would say nothing.
    resembles: Option<String>,
}

/// What a query asks for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    words: Vec<Word>,
    text: String,
    is_literal: bool,
}

impl Search {
    /// Reads a query for a search in which words have to be this alike.
    pub(crate) fn read(query: &str, likeness: f32) -> Result<Self, StoreError> {
        let words = text::search_words(query);
        if words.iter().all(|word| !word.chars().any(char::is_alphanumeric)) {
            let detail = "Search for at least one letter or digit.";
            return Err(StoreError::parameter("q", "nothing_to_search", detail));
        }
        let text = words.join(" ");
        let words = words.iter().map(|word| Word::new(word)).collect();
        Ok(Self { words, text, is_literal: likeness >= 1.0 })
    }

    /// The condition that finds records of a table.
    pub(crate) fn finds(&self, table: &'static str) -> Finds {
        Finds { search: self.clone(), table, through_company: None, named: None }
    }

    /// How well a record fits; more is better.
    pub(crate) fn score(&self, table: &'static str) -> Score {
        Score { search: self.clone(), table, names: Names::Count }
    }
}

impl Word {
    fn new(word: &str) -> Self {
        let escaped = escape(word);
        let letters = word.chars().filter(|character| character.is_alphabetic()).count();
        let digits = word.chars().filter(char::is_ascii_digit).count();
        // Trigrams are those of letters and digits: `@x` has as few as `x`.
        let is_long = word.split(|character: char| !character.is_alphanumeric()).any(|part| part.chars().count() >= 3);
        Self {
            part: if is_long { format!("%{escaped}%") } else { format!("% {escaped}%") },
            beginning: format!("% {escaped}%"),
            whole: format!("% {escaped} %"),
            is_long,
            resembles: (letters >= 4 && digits == 0).then(|| word.to_owned()),
        }
    }
}

/// What people type is text, not a pattern.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Every word of the search that tells something is found in a record.
#[derive(Clone)]
pub(crate) struct Finds {
    search: Search,
    table: &'static str,
    through_company: Option<(Uuid, Within)>,
    /// The condition under which a record has a name, where only that counts.
    named: Option<&'static str>,
}

impl Finds {
    /// A word may stand in the name of the company in that workspace instead, of those companies that may be seen; a word
    /// that more than 200 companies have, such as `gmbh`, tells nothing about people.
    pub(crate) fn through_company(self, workspace: Uuid, visible: Within) -> Self {
        Self { through_company: Some((workspace, visible)), ..self }
    }

    /// Only the name by which records are sorted counts, of those that have one, for callers who may not see what else
    /// they are found by.
    pub(crate) fn by_name_alone(self, named: &'static str) -> Self {
        Self { named: Some(named), ..self }
    }
}

impl QueryFragment<Pg> for Finds {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Words of one or two letters are in nearly every name of a company and many of people. Beside longer words they
        // only count for the order.
        let any_long = self.search.words.iter().any(|word| word.is_long);
        let telling = self.search.words.iter().filter(|word| word.is_long || !any_long);
        for (index, word) in telling.enumerate() {
            out.push_sql(if index == 0 { "((" } else { " AND (" });
            if self.named.is_some() {
                out.push_sql("(");
            }
            out.push_sql(self.table);
            out.push_sql(".search LIKE ");
            out.push_bind_param::<sql_types::Text, _>(&word.part)?;
            if let Some(resembles) = word.resembles.as_ref().filter(|_| !self.search.is_literal) {
                out.push_sql(" OR ");
                out.push_bind_param::<sql_types::Text, _>(resembles)?;
                out.push_sql(" <% ");
                out.push_sql(self.table);
                out.push_sql(".search");
            }
            if let Some(named) = self.named {
                self.push_name(named, word, out.reborrow())?;
            }
            if let Some((workspace, visible)) = self.through_company.as_ref().filter(|_| word.is_long) {
                out.push_sql(" OR ");
                out.push_sql(self.table);
                out.push_sql(
                    ".company_id = ANY(coalesce((SELECT CASE WHEN count(*) <= 200 THEN array_agg(few.id) END FROM (\
                     SELECT companies.id FROM companies WHERE companies.deleted_at IS NULL AND companies.workspace_id = ",
                );
                out.push_bind_param::<sql_types::Uuid, _>(workspace)?;
                out.push_sql(" AND ");
                visible.walk_ast(out.reborrow())?;
                out.push_sql(" AND companies.search LIKE ");
                out.push_bind_param::<sql_types::Text, _>(&word.part)?;
                out.push_sql(" LIMIT 201) AS few), '{}'))");
            }
            out.push_sql(")");
        }
        out.push_sql(")");
        Ok(())
    }
}

impl Finds {
    /// What the index has found has to stand in the name, too.
    fn push_name<'b>(&'b self, named: &str, word: &'b Word, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(") AND ");
        out.push_sql(named);
        out.push_sql(" AND (' ' || ");
        out.push_sql(self.table);
        out.push_sql(".sort_name LIKE ");
        out.push_bind_param::<sql_types::Text, _>(&word.part)?;
        if let Some(resembles) = word.resembles.as_ref().filter(|_| !self.search.is_literal) {
            out.push_sql(" OR ");
            out.push_bind_param::<sql_types::Text, _>(resembles)?;
            out.push_sql(" <% ");
            out.push_sql(self.table);
            out.push_sql(".sort_name");
        }
        out.push_sql(")");
        Ok(())
    }
}

/// How well a record fits a search.
///
/// Of literal matches, a whole word of the name counts three, the beginning of one two, that of another word one: such
/// comparisons cost a tenth of a similarity, which tells of a record found by resemblance.
#[derive(Clone)]
pub(crate) struct Score {
    search: Search,
    table: &'static str,
    names: Names,
}

/// What the names of records have to do with how well they fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// They count more than other words.
    Count,
    /// Only they count.
    CountAlone,
    /// The records have none.
    Missing,
}

impl Score {
    /// Only names count.
    pub(crate) fn by_name_alone(self) -> Self {
        Self { names: Names::CountAlone, ..self }
    }

    /// Of records without names: a whole word counts two, the beginning of one counts one.
    pub(crate) fn without_names(self) -> Self {
        Self { names: Names::Missing, ..self }
    }
}

impl QueryFragment<Pg> for Score {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.search.is_literal {
            out.push_sql("word_similarity(");
            out.push_bind_param::<sql_types::Text, _>(&self.search.text)?;
            out.push_sql(", ");
            out.push_sql(self.table);
            out.push_sql(if self.names == Names::CountAlone { ".sort_name)" } else { ".search)" });
            return Ok(());
        }
        out.push_sql("(0");
        for word in &self.search.words {
            out.push_sql(" + CASE");
            if self.names == Names::Missing {
                out.push_sql(" WHEN ");
                out.push_sql(self.table);
                out.push_sql(".search || ' ' LIKE ");
                out.push_bind_param::<sql_types::Text, _>(&word.whole)?;
                out.push_sql(" THEN 2");
            } else {
                for (pattern, points) in [(&word.whole, " THEN 3"), (&word.beginning, " THEN 2")] {
                    out.push_sql(" WHEN ' ' || ");
                    out.push_sql(self.table);
                    out.push_sql(".sort_name || ' ' LIKE ");
                    out.push_bind_param::<sql_types::Text, _>(pattern)?;
                    out.push_sql(points);
                }
            }
            if self.names != Names::CountAlone {
                out.push_sql(" WHEN ");
                out.push_sql(self.table);
                out.push_sql(".search LIKE ");
                out.push_bind_param::<sql_types::Text, _>(&word.beginning)?;
                out.push_sql(" THEN 1");
            }
            out.push_sql(" ELSE 0 END");
        }
        out.push_sql(")::real");
        Ok(())
    }
}

expression!(Finds, sql_types::Bool);
expression!(Score, sql_types::Float);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_no_pattern() {
        let search = Search::read("100%_\\", 1.0).unwrap();
        assert_eq!(search.words[0].part, "%100\\%\\_\\\\%");
    }

    #[test]
    fn short_words_are_beginnings_and_numbers_do_not_resemble() {
        let search = Search::read("li anna +49 30 1", 0.5).unwrap();
        let forms: Vec<_> = search.words.iter().map(|word| (word.part.as_str(), word.resembles.as_deref())).collect();
        assert_eq!(
            forms,
            [("% li%", None), ("%anna%", Some("anna")), ("% +49%", None), ("% 30%", None), ("% 1%", None)]
        );
    }

    #[test]
    fn a_query_without_letters_is_refused() {
        assert!(Search::read(" @ ", 1.0).is_err());
        assert!(Search::read("", 1.0).is_err());
    }
}
