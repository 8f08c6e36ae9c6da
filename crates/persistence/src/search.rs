//! Finding records by words, by parts of words, and in spite of typing errors.
//!
//! First words of the record have to begin with what is asked for, which an index of words answers, however many records there
//! are. Only where that finds nothing, words may have it anywhere, and at last only resemble it, which trigrams answer. So what
//! was typed right is answered precisely and fast, and what was typed wrong is answered all the same.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    sql_types,
};
use rapport_domain::{page::Count, text};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, expression::expression, filter::Compiled, page::PageRequest, visibility::Within,
};

/// How words of a record have to be like those that are asked for, from one try to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Likeness {
    /// They begin like that.
    Beginning,
    /// They have it somewhere.
    Part,
    /// They resemble it: `katharina` has enough of the trigrams of `katarina` (0.58).
    Close,
    /// They resemble it from afar: `smith` and `smiht` (0.33).
    Remote,
}

impl Likeness {
    /// From the least forgiving to the most.
    pub(crate) const ALL: &[Self] = &[Self::Beginning, Self::Part, Self::Close, Self::Remote];

    fn is_literal(self) -> bool {
        matches!(self, Self::Beginning | Self::Part)
    }
}

/// The statements of so many words are kept prepared: of more words there are too many.
const KEPT_WORDS: usize = 2;

/// Searches ever more forgivingly, until a page holds something. A later page goes on as the first one ended.
pub(crate) fn until_found<T>(
    reader: &mut Reader<'_>,
    words: &str,
    filter: Option<&Compiled>,
    request: PageRequest,
    page: impl Fn(&mut Reader<'_>, &Search, &PageRequest) -> Result<Page<T>, StoreError>,
) -> Result<Page<T>, StoreError> {
    let mut found = Page { data: Vec::new(), next_cursor: None, total: None };
    for (likeness, request) in request.tries() {
        let search = Search::read(reader.workspace(), words, likeness)?;
        let page = |reader: &mut Reader<'_>| page(reader, &search, &request);
        found = match likeness {
            Likeness::Beginning if !search.has_beginnings() => continue,
            Likeness::Beginning if filter.is_none() && search.is_kept() => reader.with_one_plan(page)?,
            // Planned for its values: a condition that fewer records meet may find them faster.
            Likeness::Beginning => page(reader)?,
            Likeness::Part => reader.searching_trigrams(1.0, page)?,
            Likeness::Close => reader.searching_trigrams(0.45, page)?,
            Likeness::Remote => reader.searching_trigrams(0.3, page)?,
        };
        if !found.data.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// How a list is counted. What is found by words is counted where an estimate would do: it has to be found anyway, and the
/// planner seldom knows how many words begin like one.
pub(crate) fn count(words: Option<&str>, wanted: Option<Count>) -> Option<Count> {
    match (words, wanted) {
        (Some(_), Some(Count::Estimate)) => Some(Count::Exact),
        _ => wanted,
    }
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
    /// For `@@`: words that begin like this one. None of what is found by its parts at once, see [`beginnings`].
    begins: Option<String>,
    /// Whether a text with words that begin so has this one: it has no signs in it, and need not stand after a space.
    is_all_of_it: bool,
    /// For `<%`: words that resemble this one. None where a resemblance would say nothing.
    resembles: Option<String>,
}

/// What a query asks for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    words: Vec<Word>,
    text: String,
    likeness: Likeness,
}

impl Search {
    /// Reads a query for a search in which words have to be this alike.
    fn read(workspace: Uuid, query: &str, likeness: Likeness) -> Result<Self, StoreError> {
        let words = text::search_words(query);
        if words.iter().all(|word| !word.chars().any(char::is_alphanumeric)) {
            let detail = "Search for at least one letter or digit.";
            return Err(StoreError::parameter("q", "nothing_to_search", detail));
        }
        let text = words.join(" ");
        let mark = mark(workspace);
        let words = words.iter().map(|word| Word::new(&mark, word)).collect();
        Ok(Self { words, text, likeness })
    }

    /// The condition that finds records of a table.
    pub(crate) fn finds(&self, table: &'static str) -> Finds {
        Finds { search: self.clone(), table, through_company: None, named: None }
    }

    /// How well a record fits; more is better.
    pub(crate) fn score(&self, table: &'static str) -> Score {
        Score { search: self.clone(), table, names: Names::Count }
    }

    /// Whether it makes a difference that words have to begin so.
    fn has_beginnings(&self) -> bool {
        self.telling().any(|word| word.begins.is_some())
    }

    /// Whether it has a form that is frequent enough for its statement to be kept.
    fn is_kept(&self) -> bool {
        self.words.len() <= KEPT_WORDS
    }

    /// The words that records have to have. Those of one or two letters are in nearly every name of a company and many of people:
    /// beside longer ones they only count for the order.
    fn telling(&self) -> impl Iterator<Item = &Word> {
        let any_long = self.words.iter().any(|word| word.is_long);
        self.words.iter().filter(move |word| word.is_long || !any_long)
    }
}

impl Word {
    /// A word that begins with a mark in the index of words.
    fn new(mark: &str, word: &str) -> Self {
        let escaped = escape(word);
        let letters = word.chars().filter(|character| character.is_alphabetic()).count();
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let runs: Vec<&str> =
            word.split(|character: char| !character.is_alphanumeric()).filter(|run| !run.is_empty()).collect();
        let is_long = text::is_long(word);
        Self {
            part: if is_long { format!("%{escaped}%") } else { format!("% {escaped}%") },
            beginning: format!("% {escaped}%"),
            whole: format!("% {escaped} %"),
            is_long,
            begins: beginnings(mark, word, &runs),
            is_all_of_it: is_long && runs == [word],
            resembles: (letters >= 4 && digits == 0).then(|| word.to_owned()),
        }
    }
}

/// What all words of a workspace begin with in the index, as `words_of` of the database has it.
fn mark(workspace: Uuid) -> String {
    let digits = format!("{:08x}", workspace.as_u128() & 0xffff_ffff);
    digits.chars().map(|digit| digit.to_digit(10).map_or(digit, |digit| char::from(b'g' + digit as u8))).collect()
}

/// What words of a record have to begin with, as a query of the index. None of what people know by other parts: numbers, and
/// words of scripts that put no spaces between words. Nor of what the database may take apart in another way: signs that it may
/// take for letters.
fn beginnings(mark: &str, word: &str, runs: &[&str]) -> Option<String> {
    let is_unspaced = |character| {
        matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}')
    };
    let has_letters = word.chars().any(char::is_alphabetic);
    let is_plain = word.chars().all(|character| character.is_ascii() || character.is_alphanumeric());
    let begins = has_letters && is_plain && !word.chars().any(is_unspaced);
    begins.then(|| format!("'{mark}{}':*", runs.join(&format!("' & '{mark}"))))
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
        if self.search.likeness == Likeness::Beginning && !self.search.is_kept() {
            out.unsafe_to_cache_prepared();
        }
        let words: Vec<&Word> = self.search.telling().collect();
        out.push_sql("((");
        push_each(&words, " AND ", out.reborrow(), |word, out| self.push_own(word, out))?;
        out.push_sql(")");
        if let Some((workspace, visible)) =
            self.through_company.as_ref().filter(|_| words.iter().all(|word| word.is_long))
        {
            let push_company = |word, out: AstPass<'_, 'b, Pg>| self.push_company(word, workspace, visible, out);
            out.push_sql(" OR (");
            push_each(&words, " OR ", out.reborrow(), push_company)?;
            out.push_sql(")");
            if words.len() > 1 {
                // What is said of the words of the record alone is one look into the index, and of those with such a company there
                // are few to be looked at.
                out.push_sql(" AND ");
                push_each(&words, " AND ", out.reborrow(), |word, mut out| {
                    out.push_sql("(");
                    self.push_own(word, out.reborrow())?;
                    out.push_sql(" OR ");
                    push_company(word, out.reborrow())?;
                    out.push_sql(")");
                    Ok(())
                })?;
            }
        }
        out.push_sql(")");
        Ok(())
    }
}

/// Pushes something for each word.
fn push_each<'a, 'b>(
    words: &[&'b Word],
    between: &str,
    mut out: AstPass<'a, 'b, Pg>,
    push: impl Fn(&'b Word, AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push_sql(between);
        }
        push(word, out.reborrow())?;
    }
    Ok(())
}

impl Finds {
    /// That the record has a word itself.
    fn push_own<'b>(&'b self, word: &'b Word, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("((");
        self.push_has(&format!("{}.search", self.table), word, out.reborrow())?;
        out.push_sql(")");
        if let Some(named) = self.named {
            // What the index has found has to stand in the name, too.
            out.push_sql(" AND ");
            out.push_sql(named);
            out.push_sql(" AND (");
            self.push_has(&format!("(' ' || {}.sort_name)", self.table), word, out.reborrow())?;
            out.push_sql(")");
        }
        out.push_sql(")");
        Ok(())
    }

    /// That the record is of a company whose name has a word, of those that may be seen.
    fn push_company<'b>(
        &'b self,
        word: &'b Word,
        workspace: &'b Uuid,
        visible: &'b Within,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        out.push_sql(self.table);
        out.push_sql(
            ".company_id = ANY(coalesce((SELECT CASE WHEN count(*) <= 200 THEN array_agg(few.id) END FROM (\
             SELECT companies.id FROM companies WHERE companies.deleted_at IS NULL AND companies.workspace_id = ",
        );
        out.push_bind_param::<sql_types::Uuid, _>(workspace)?;
        out.push_sql(" AND ");
        visible.walk_ast(out.reborrow())?;
        out.push_sql(" AND ");
        self.push_literally("companies", "companies.search", word, out.reborrow())?;
        out.push_sql(" LIMIT 201) AS few), '{}'))");
        Ok(())
    }

    /// That a text has a word, or one that is as like it as is asked.
    fn push_has<'b>(&'b self, text: &str, word: &'b Word, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.push_literally(self.table, text, word, out.reborrow())?;
        if let Some(resembles) = word.resembles.as_ref().filter(|_| !self.search.likeness.is_literal()) {
            out.push_sql(" OR ");
            out.push_bind_param::<sql_types::Text, _>(resembles)?;
            out.push_sql(" <% ");
            out.push_sql(text);
        }
        Ok(())
    }

    /// That a text of a table has a word, as it is written.
    fn push_literally<'b>(
        &'b self,
        table: &str,
        text: &str,
        word: &'b Word,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        let begins = word.begins.as_ref().filter(|_| self.search.likeness == Likeness::Beginning);
        if let Some(begins) = begins {
            out.push_sql("words_of(");
            out.push_sql(table);
            out.push_sql(".workspace_id, ");
            out.push_sql(text);
            out.push_sql(") @@ ");
            out.push_bind_param::<sql_types::Text, _>(begins)?;
            out.push_sql("::tsquery");
            if word.is_all_of_it {
                return Ok(());
            }
            out.push_sql(" AND ");
        }
        // Where words have been found, not the column itself, which has an index that is not to be used.
        out.push_sql("(");
        out.push_sql(text);
        out.push_sql(if begins.is_some() { " || '') LIKE " } else { ") LIKE " });
        out.push_bind_param::<sql_types::Text, _>(&word.part)
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
        if !self.search.likeness.is_literal() {
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

    const WORKSPACE: Uuid = Uuid::from_u128(0x01a2_0a2d_ddea_7050_a53f_c989_0459_bd05);

    fn read(query: &str, likeness: Likeness) -> Search {
        Search::read(WORKSPACE, query, likeness).unwrap()
    }

    #[test]
    fn what_people_type_is_no_pattern_and_no_query() {
        assert_eq!(read("100%_\\", Likeness::Part).words[0].part, "%100\\%\\_\\\\%");
        assert_eq!(
            read("o'b & !c:*|d\\", Likeness::Beginning).words[0].begins.as_deref(),
            Some("'gklpbdglo' & 'gklpbdglb':*")
        );
    }

    #[test]
    fn short_words_are_beginnings_and_numbers_do_not_resemble() {
        let search = read("li anna +49 30 1", Likeness::Close);
        let forms: Vec<_> = search.words.iter().map(|word| (word.part.as_str(), word.resembles.as_deref())).collect();
        assert_eq!(
            forms,
            [("% li%", None), ("%anna%", Some("anna")), ("% +49%", None), ("% 30%", None), ("% 1%", None)]
        );
    }

    #[test]
    fn words_begin_with_what_has_letters() {
        let begins = |word: &str| Word::new("x", word).begins;
        assert_eq!(begins("anna").as_deref(), Some("'xanna':*"));
        assert_eq!(begins("a.lindt@example").as_deref(), Some("'xa' & 'xlindt' & 'xexample':*"));
        assert_eq!(begins("каренин").as_deref(), Some("'xкаренин':*"));
        assert_eq!(begins("12e").as_deref(), Some("'x12e':*"));
        assert_eq!(begins("1e5abc").as_deref(), Some("'x1e5abc':*"));
        for word in ["901820", "+49", "トヨタ", "株式会社", "d’angelo", "می\u{200c}خواهم"] {
            assert_eq!(begins(word), None, "{word}");
        }
        assert!(Word::new("x", "anna").is_all_of_it);
        assert!(!Word::new("x", "a.lindt@").is_all_of_it && !Word::new("x", "an").is_all_of_it);
    }

    #[test]
    fn numbers_alone_are_not_tried_as_beginnings() {
        let tried = |query| read(query, Likeness::Beginning).has_beginnings();
        assert!(tried("anna 901820") && tried("a"));
        assert!(!tried("901820") && !tried("a 901820"));
    }

    #[test]
    fn a_query_without_letters_is_refused() {
        assert!(Search::read(WORKSPACE, " @ ", Likeness::Beginning).is_err());
        assert!(Search::read(WORKSPACE, "", Likeness::Beginning).is_err());
    }
}
