//! Conditions on single fields.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate};
use rapport_domain::filter::{
    Anniversary, AnniversaryDirection, Bounds, Entity, Field, Folding, IndexClass, Kind, LeapDay, Numbers, Options,
    Place, Predicate, Span,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    compile::{Compiler, currency, expression, table},
    statement::Piece,
};
use crate::search::escape;

/// As many texts are looked up one by one in the index of words; of more, every record is looked at.
const MOST_LOOKUPS: usize = 8;

/// As many words of a text are looked up: they find few enough records to compare the whole text with.
const MOST_WORDS: usize = 4;

impl Compiler<'_> {
    pub(super) fn field(&mut self, field: &Field, predicate: &Predicate) {
        let value = expression(field);
        match predicate {
            Predicate::Present => self.present(field),
            Predicate::OneOfTexts(texts) => self.one_of_texts(field, texts),
            Predicate::Contains(part) => self.like(field, part, |part| format!("%{part}%")),
            Predicate::StartsWith(start) => self.like(field, start, |start| format!("{start}%")),
            Predicate::EndsWith(end) => self.like(field, end, |end| format!("%{end}")),
            Predicate::Number(numbers) if field.kind == Kind::Float => self.floats(&value, numbers),
            Predicate::Number(numbers) => self.numbers(&value, numbers),
            Predicate::Money(wanted, numbers) => {
                if let Some(of) = currency(field) {
                    self.sql(format!("{of} = "));
                    self.bind(Piece::Text(wanted.clone()));
                    self.sql(" AND ");
                }
                self.numbers(&value, numbers);
            }
            Predicate::Is(is) => {
                self.sql(format!("{value} = "));
                self.bind(Piece::Bool(*is));
            }
            Predicate::OneOf(words) => self.one_of(field, words),
            Predicate::HasAny(words) => self.words(field, "&&", "?|", words),
            Predicate::HasAll(words) => self.words(field, "@>", "?&", words),
            Predicate::Count(bounds) => self.count(field, *bounds),
            Predicate::Date(span) => self.span(&value, span),
            Predicate::Instant(span) => self.span(&value, span),
            Predicate::Anniversary(anniversary) => {
                self.sql(format!("(extract(month FROM {value}) * 100 + extract(day FROM {value}))::integer = ANY("));
                self.bind(Piece::Integers(days_kept(anniversary)));
                self.sql(")");
            }
        }
    }

    fn present(&mut self, field: &Field) {
        let table = table(field.entity);
        match (&field.kind, &field.place) {
            (Kind::Tags(_), Place::Document(column, key)) => {
                self.sql(format!("jsonb_array_length({table}.{column} -> '{key}') > 0"));
            }
            (Kind::Tags(_), _) => self.sql(format!("{} <> '{{}}'", expression(field))),
            (_, Place::MatchKeys(prefix)) => self.any_key(table, &format!("{prefix}%")),
            _ => self.sql(format!("{} IS NOT NULL", expression(field))),
        }
    }

    /// One of the match keys is like a pattern.
    fn any_key(&mut self, table: &str, pattern: &str) {
        self.sql(format!("EXISTS (SELECT FROM unnest({table}.match_keys) AS key WHERE key LIKE "));
        self.bind(Piece::Text(pattern.to_owned()));
        self.sql(")");
    }

    fn one_of_texts(&mut self, field: &Field, texts: &[String]) {
        if let Place::MatchKeys(prefix) = field.place {
            return self.has_key(field.entity, texts.iter().map(|text| format!("{prefix}{text}")).collect());
        }
        let value = expression(field);
        if field.index == IndexClass::Trgm && texts.len() <= MOST_LOOKUPS {
            for (index, text) in texts.iter().enumerate() {
                self.sql(if index == 0 { "(" } else { ") OR (" });
                self.looked_up(field, text);
                self.sql(format!("{value} = "));
                self.bind(Piece::Text(text.clone()));
            }
            return self.sql(")");
        }
        self.among(&value, texts, |text| Piece::Text(text.clone()), Piece::Texts);
    }

    /// That a value is one of these. A single one is compared with `=`, which lets an index that begins with the column
    /// give the order of a list, too.
    fn among<T: Clone>(&mut self, value: &str, all: &[T], one: impl Fn(&T) -> Piece, many: impl Fn(Vec<T>) -> Piece) {
        if let [only] = all {
            self.sql(format!("{value} = "));
            return self.bind(one(only));
        }
        self.sql(format!("{value} = ANY("));
        self.bind(many(all.to_vec()));
        self.sql(")");
    }

    /// Records with one of these match keys, as a subquery of its own, see `with_match_keys`.
    fn has_key(&mut self, entity: Entity, keys: Vec<String>) {
        let table = table(entity);
        self.sql(format!(
            "{table}.id = ANY(ARRAY(SELECT same.id FROM {table} AS same WHERE same.match_keys <> '{{}}' \
             AND same.workspace_id IS NOT DISTINCT FROM "
        ));
        self.bind(Piece::Uuid(self.reader.workspace()));
        self.sql(" AND same.match_keys && ARRAY(SELECT unnest(");
        self.bind(Piece::Texts(keys));
        self.sql("))))");
    }

    fn like(&mut self, field: &Field, text: &str, pattern: impl Fn(&str) -> String) {
        self.looked_up(field, text);
        let pattern = pattern(&escape(text));
        if let Place::MatchKeys(prefix) = field.place {
            return self.any_key(table(field.entity), &format!("{prefix}{pattern}"));
        }
        self.sql(format!("{} LIKE ", expression(field)));
        self.bind(Piece::Text(pattern));
    }

    /// Lets the index of words find records that can have a text in this field: its words are among theirs.
    fn looked_up(&mut self, field: &Field, text: &str) {
        // Mailboxes are folded otherwise than words, but not where they are in ASCII; numbers are words without their plus.
        let is_indexed = match field.place {
            Place::MatchKeys(_) => text.is_ascii(),
            _ => field.index == IndexClass::Trgm,
        };
        if !is_indexed {
            return;
        }
        let text = if field.folding == Folding::Phone { text.trim_start_matches('+') } else { text };
        for word in text.split_whitespace().filter(|word| has_trigram(word)).take(MOST_WORDS) {
            self.like_search(field.entity, word);
            self.sql(" AND ");
        }
    }

    fn numbers(&mut self, value: &str, numbers: &Numbers) {
        match numbers {
            Numbers::Span(span) => self.span(value, span),
            Numbers::OneOf(numbers) => {
                self.sql(format!("{value} = ANY("));
                self.bind(Piece::Decimals(numbers.clone()));
                self.sql(")");
            }
        }
    }

    fn floats(&mut self, value: &str, numbers: &Numbers) {
        match numbers {
            Numbers::Span(span) => {
                let span = Span { from: span.from.as_ref().map(float), until: span.until.as_ref().map(float) };
                self.span(value, &span);
            }
            Numbers::OneOf(numbers) => {
                self.sql(format!("{value} = ANY("));
                self.bind(Piece::Doubles(numbers.iter().map(float).collect()));
                self.sql(")");
            }
        }
    }

    fn one_of(&mut self, field: &Field, words: &[String]) {
        let value = expression(field);
        match (&field.kind, &field.place) {
            (Kind::Choice(Options::Ids), Place::Column(_)) => {
                self.among(&value, &ids(words), |id| Piece::Uuid(*id), Piece::Uuids);
            }
            _ => self.among(&value, words, |word| Piece::Text(word.clone()), Piece::Texts),
        }
    }

    /// Words of a list, in a column or in a document.
    fn words(&mut self, field: &Field, in_column: &str, in_document: &str, words: &[String]) {
        let table = table(field.entity);
        match &field.place {
            Place::Document(column, key) => {
                self.sql(format!("({table}.{column} -> '{key}') {in_document} "));
                self.bind(Piece::Texts(words.to_vec()));
            }
            _ => {
                // The second condition is that of the index, without which it would not be used.
                let value = expression(field);
                self.sql(format!("{value} {in_column} "));
                self.bind(match field.kind {
                    Kind::Tags(Options::Ids) => Piece::Uuids(ids(words)),
                    _ => Piece::Texts(words.to_vec()),
                });
                self.sql(format!(" AND {value} <> '{{}}'"));
            }
        }
    }

    fn count(&mut self, field: &Field, bounds: Bounds) {
        let count = match &field.place {
            Place::Document(column, key) => {
                format!("coalesce(jsonb_array_length({}.{column} -> '{key}'), 0)", table(field.entity))
            }
            _ => format!("cardinality({})", expression(field)),
        };
        self.sql(format!("{count} >= "));
        self.bind(Piece::Integer(bounds.least));
        if let Some(most) = bounds.most {
            self.sql(format!(" AND {count} <= "));
            self.bind(Piece::Integer(most));
        }
    }
}

fn ids(words: &[String]) -> Vec<Uuid> {
    words.iter().filter_map(|word| Uuid::try_parse(word).ok()).collect()
}

fn float(number: &Decimal) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

/// Whether the index of words can find a word: it keeps three letters or digits in a row.
fn has_trigram(word: &str) -> bool {
    word.split(|character: char| !character.is_alphanumeric()).any(|part| part.chars().count() >= 3)
}

/// The days of the year, as 100 × month + day, that are kept within an anniversary's days.
fn days_kept(anniversary: &Anniversary) -> Vec<i32> {
    let number = |day: NaiveDate| (day.month() * 100 + day.day()) as i32;
    let mut kept = BTreeSet::new();
    for distance in 0..=anniversary.within_days.unsigned_abs() {
        let day = match anniversary.direction {
            AnniversaryDirection::Next => anniversary.today.checked_add_days(Days::new(distance)),
            AnniversaryDirection::Last => anniversary.today.checked_sub_days(Days::new(distance)),
        };
        let Some(day) = day else { continue };
        kept.insert(number(day));
        let stands_for_leap_day = match anniversary.leap_day {
            LeapDay::Feb28 => number(day) == 228,
            LeapDay::Mar1 => number(day) == 301,
        };
        if stands_for_leap_day && !day.leap_year() {
            kept.insert(229);
        }
    }
    kept.into_iter().collect()
}
