//! Walks a condition and writes its SQL.

use std::{borrow::Cow, ops::Bound};

use rapport_domain::{
    access::Resource,
    filter::{Area, Bucket, CompareOperator, Condition, Entity, Field, GeoBox, Kind, Place, SortKeys, Span},
    people::contact::DeletedInList,
};

use super::statement::{Bindable, Piece};
use crate::{Reader, visibility::Policy};

/// Writes the SQL of a condition.
pub(super) struct Compiler<'r> {
    pub(super) reader: &'r Reader<'r>,
    pieces: Vec<Piece>,
    /// Whether records are looked up by sort keys: of those that are deleted none are kept.
    by_keys: bool,
}

impl<'r> Compiler<'r> {
    pub(super) fn compiled(reader: &'r Reader<'r>, condition: &Condition, deleted: DeletedInList) -> Vec<Piece> {
        let mut compiler = Self { reader, pieces: Vec::new(), by_keys: deleted == DeletedInList::Exclude };
        compiler.condition(condition, true);
        compiler.pieces
    }

    pub(super) fn sql(&mut self, sql: impl Into<Cow<'static, str>>) {
        self.pieces.push(Piece::Sql(sql.into()));
    }

    pub(super) fn bind(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// What the caller may see of a resource, as a condition.
    pub(super) fn visible(&mut self, resource: Resource) {
        self.pieces.push(Piece::Within(Policy::reading(self.reader, resource).whole()));
    }

    /// A condition, or its complement.
    pub(super) fn condition(&mut self, condition: &Condition, is_meant: bool) {
        match condition {
            Condition::Not(condition) => self.condition(condition, !is_meant),
            Condition::All(conditions) => self.joined(conditions, is_meant, is_meant),
            Condition::Any(conditions) => self.joined(conditions, !is_meant, is_meant),
            leaf => {
                self.sql("(");
                self.leaf(leaf);
                self.sql(if is_meant { ")" } else { ") IS NOT TRUE" });
            }
        }
    }

    /// Conditions, or their complements, all of which have to hold or one.
    fn joined(&mut self, conditions: &[Condition], all: bool, is_meant: bool) {
        if conditions.is_empty() {
            return self.sql(if all { "TRUE" } else { "FALSE" });
        }
        for (index, condition) in conditions.iter().enumerate() {
            self.sql(match (index, all) {
                (0, _) => "(",
                (_, true) => " AND ",
                (_, false) => " OR ",
            });
            self.condition(condition, is_meant);
        }
        self.sql(")");
    }

    fn leaf(&mut self, leaf: &Condition) {
        match leaf {
            Condition::Field(field, predicate) => self.field(field, predicate),
            Condition::Keyed(field, predicate, keys) => {
                if self.by_keys {
                    self.by_sort_key(field, keys);
                }
                self.field(field, predicate);
            }
            Condition::Compare(left, operator, right) => self.compare(left, *operator, right),
            Condition::Related(related) => self.related(related),
            Condition::Aggregate(aggregate) => self.aggregate(aggregate),
            Condition::Latest(latest) => self.latest(latest),
            Condition::Within(entity, area) => self.within(*entity, area),
            Condition::Sample(entity, bucket) => self.sample(*entity, *bucket),
            Condition::Match(entity, parts) => {
                for (index, part) in parts.iter().enumerate() {
                    self.sql(if index == 0 { "" } else { " AND " });
                    self.like_search(*entity, part);
                }
            }
            // Groups are not leaves: `condition` has taken them apart.
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => self.condition(leaf, true),
        }
    }

    /// Looks for a part of what records are found by, which the index of words answers.
    pub(super) fn like_search(&mut self, entity: Entity, part: &str) {
        self.sql(format!("{}.search LIKE ", table(entity)));
        self.bind(Piece::Text(format!("%{}%", crate::search::escape(part))));
    }

    /// Lets the index of sort keys find records that can have such a value.
    fn by_sort_key(&mut self, field: &Field, keys: &SortKeys) {
        let Some(id) = field.sorted else { return };
        self.sql(format!(
            "{}.id IN (SELECT kept.record_id FROM custom_field_values AS kept WHERE kept.workspace_id = ",
            table(field.entity)
        ));
        self.bind(Piece::Uuid(self.reader.workspace()));
        self.sql(" AND kept.field_id = ");
        self.bind(Piece::Uuid(id.uuid()));
        self.sql(" AND kept.sort_key IS NOT NULL");
        match keys {
            SortKeys::OneOf(keys) => {
                self.sql(" AND kept.sort_key = ANY(");
                self.bind(Piece::Texts(keys.clone()));
                self.sql(")");
            }
            SortKeys::Between(from, until) => {
                for (compares, end) in [(" AND kept.sort_key >= ", from), (" AND kept.sort_key <= ", until)] {
                    if let Some(end) = end {
                        self.sql(compares);
                        self.bind(Piece::Text(end.clone()));
                    }
                }
            }
            SortKeys::StartsWith(start) => {
                self.sql(" AND kept.sort_key ^@ ");
                self.bind(Piece::Text(start.clone()));
            }
        }
        self.sql(") AND ");
    }

    /// An expression within a span; a span without ends needs a value all the same.
    pub(super) fn span<T: Bindable>(&mut self, expression: &str, span: &Span<T>) {
        let mut ends = Vec::new();
        match span.from {
            Bound::Included(from) => ends.push((" >= ", from)),
            Bound::Excluded(from) => ends.push((" > ", from)),
            Bound::Unbounded => {}
        }
        match span.until {
            Bound::Included(until) => ends.push((" <= ", until)),
            Bound::Excluded(until) => ends.push((" < ", until)),
            Bound::Unbounded => {}
        }
        if ends.is_empty() {
            return self.sql(format!("{expression} IS NOT NULL"));
        }
        for (index, (compares, end)) in ends.into_iter().enumerate() {
            self.sql(format!("{}{expression}{compares}", if index == 0 { "" } else { " AND " }));
            self.bind(end.piece());
        }
    }

    fn compare(&mut self, left: &Field, operator: CompareOperator, right: &Field) {
        let compares = match operator {
            CompareOperator::Eq => "=",
            CompareOperator::Ne => "<>",
            CompareOperator::Lt => "<",
            CompareOperator::Lte => "<=",
            CompareOperator::Gt => ">",
            CompareOperator::Gte => ">=",
        };
        // Of two columns both are of one type; what comes out of a document is text.
        let cast = match (&left.kind, &left.place, &right.place) {
            (Kind::Choice(_), Place::Column(_), Place::Column(_)) => "",
            (Kind::Choice(_), ..) => "::text",
            _ => "",
        };
        let (one, other) = (expression(left), expression(right));
        self.sql(format!("{one}{cast} {compares} {other}{cast}"));
        if let (Some(of), Some(of_other)) = (currency(left), currency(right)) {
            self.sql(format!(" AND {of} = {of_other}"));
        }
    }

    fn within(&mut self, entity: Entity, area: &Area) {
        let table = table(entity);
        match area {
            Area::Countries(countries) => {
                self.sql(format!("{table}.country = ANY("));
                self.bind(Piece::Texts(countries.clone()));
                self.sql(")");
            }
            Area::Box(area) => self.in_box(table, area),
            Area::Circle(circle) => {
                for (index, area) in circle.boxes().iter().enumerate() {
                    self.sql(if index == 0 { "((" } else { ") OR (" });
                    self.in_box(table, area);
                }
                let from = circle.center.lat.to_radians();
                self.sql(format!(")) AND sin((radians({table}.latitude) - "));
                self.bind(Piece::Double(from));
                self.sql(format!(") / 2) * sin((radians({table}.latitude) - "));
                self.bind(Piece::Double(from));
                self.sql(") / 2) + ");
                self.bind(Piece::Double(from.cos()));
                self.sql(format!(" * cos(radians({table}.latitude)) * (sin((radians({table}.longitude) - "));
                self.bind(Piece::Double(circle.center.lon.to_radians()));
                self.sql(format!(") / 2) * sin((radians({table}.longitude) - "));
                self.bind(Piece::Double(circle.center.lon.to_radians()));
                self.sql(") / 2)) <= ");
                self.bind(Piece::Double(circle.haversine()));
            }
        }
    }

    fn in_box(&mut self, table: &str, area: &GeoBox) {
        let ends = [
            (format!("{table}.latitude >= "), area.south),
            (format!(" AND {table}.latitude <= "), area.north),
            (format!(" AND ({table}.longitude >= "), area.west),
            (format!("{}{table}.longitude <= ", if area.west <= area.east { " AND " } else { " OR " }), area.east),
        ];
        for (compares, end) in ends {
            self.sql(compares);
            self.bind(Piece::Double(end));
        }
        self.sql(")");
    }

    fn sample(&mut self, entity: Entity, bucket: Bucket) {
        let (prime, whole) = (Bucket::PRIME, Bucket::WHOLE);
        self.sql(format!("(('x' || right({}.id::text, 7))::bit(28)::integer::bigint * ", table(entity)));
        self.bind(Piece::Integer(bucket.factor));
        self.sql(" + ");
        self.bind(Piece::Integer(bucket.offset));
        self.sql(format!(") % {prime} % {whole} < "));
        self.bind(Piece::Integer(bucket.below));
    }
}

/// The table of an entity. Subqueries name it anew, so it always means the innermost one.
pub(crate) fn table(entity: Entity) -> &'static str {
    entity.resource().as_str()
}

/// The currency of an amount as SQL; none where the field is no money.
pub(super) fn currency(field: &Field) -> Option<String> {
    let table = table(field.entity);
    match &field.place {
        Place::Money(_, of) => Some(format!("{table}.{of}")),
        Place::Document(column, key) if field.kind == Kind::Money => {
            Some(format!("({table}.{column} -> '{key}' ->> 'currency')"))
        }
        _ => None,
    }
}

/// The value of a field as SQL, in the type in which it is compared.
pub(crate) fn expression(field: &Field) -> String {
    let table = table(field.entity);
    let cast = match field.kind {
        Kind::Number => "::numeric",
        Kind::Float => "::double precision",
        Kind::Bool => "::boolean",
        Kind::Date => "::date",
        Kind::Instant => "::timestamptz",
        Kind::Text | Kind::Texts | Kind::Money | Kind::Choice(_) | Kind::Tags(_) => "",
    };
    match &field.place {
        Place::Column(column) | Place::Money(column, _) => format!("{table}.{column}"),
        Place::Document(column, key) if field.kind == Kind::Money => {
            format!("({table}.{column} -> '{key}' ->> 'amount')::numeric")
        }
        Place::Document(column, key) => format!("({table}.{column} ->> '{key}'){cast}"),
        Place::MatchKeys(_) => format!("{table}.match_keys"),
    }
}
