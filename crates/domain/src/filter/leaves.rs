//! Judges the nodes that compare something.

use std::{ops::Bound, sync::Arc};

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    area::{Area, Circle},
    catalogue::{Entity, Field, Folding, IndexClass, Kind, Options, Place, Relation},
    check::{Checker, Spot},
    condition::{Aggregate, Anniversary, Condition, Numbers, Predicate, Span, Verdict},
    nodes::*,
    sample::Bucket,
    time::{self, Moment},
};
use crate::{standards, text};

/// The longest text that is compared, in bytes.
const LONGEST: usize = 1024;

/// The most values of a list.
const MOST_VALUES: usize = 1_000;

/// The fewest characters that `contains` looks for.
const SHORTEST_PART: usize = 3;

/// A node that is no group and names no relation.
pub(super) fn leaf(checker: &mut Checker<'_>, node: &Node, spot: &Spot) -> Option<Condition> {
    match node {
        Node::Text(node) => text(checker, node, spot),
        Node::Number(node) => {
            let field =
                of_kind(checker, &node.field, spot, "number", |kind| matches!(kind, Kind::Number | Kind::Float));
            let (numbers, negated) = numbers(checker, node.op, Operands::of_number(node), spot)?;
            Some(Condition::Field(field?, Predicate::Number(numbers)).negated_if(negated))
        }
        Node::Money(node) => {
            let field = of_kind(checker, &node.field, spot, "money", |kind| *kind == Kind::Money);
            let (numbers, negated) = numbers(checker, node.op, Operands::of_money(node), spot)?;
            Some(Condition::Field(field?, Predicate::Money(node.currency.clone(), numbers)).negated_if(negated))
        }
        Node::Bool(node) => {
            let field = of_kind(checker, &node.field, spot, "bool", |kind| *kind == Kind::Bool)?;
            Some(Condition::Field(field, Predicate::Is(node.value)))
        }
        Node::Choice(node) => choice(checker, node, spot),
        Node::Tags(node) => tags(checker, node, spot),
        Node::Present(node) => {
            let field = of_kind(checker, &node.field, spot, "present", |_| true)?;
            Some(Condition::Field(field, Predicate::Present).negated_if(!node.value))
        }
        Node::Date(node) => date(checker, node, spot),
        Node::Instant(node) => instant(checker, node, spot),
        Node::Rolling(node) => rolling(checker, node, spot),
        Node::Calendar(node) => calendar(checker, node, spot),
        Node::Anniversary(node) => {
            let field = of_kind(checker, &node.field, spot, "anniversary", |kind| *kind == Kind::Date)?;
            if field.place == Place::Column("birthday") {
                checker.helped(IndexClass::Btree); // by the index of the days of the year
            }
            let anniversary = Anniversary {
                today: checker.now.today(),
                within_days: node.within_days,
                direction: node.direction,
                leap_day: node.feb29,
            };
            Some(Condition::Field(field, Predicate::Anniversary(anniversary)))
        }
        Node::Compare(node) => compare(checker, node, spot),
        Node::GeoWithin(node) => geo_within(checker, node, spot),
        Node::Sample(node) => {
            checker.note_leaf(spot, IndexClass::None);
            Some(Condition::Sample(spot.entity, Bucket::new(node.percent, &node.salt)))
        }
        Node::Match(node) => matching(checker, node, spot),
        Node::All(_) | Node::Any(_) | Node::Not(_) | Node::Related(_) | Node::Aggregate(_) | Node::Latest(_) => None,
    }
}

/// Whether values of this kind come one after the other.
pub(super) fn has_order(kind: &Kind) -> bool {
    matches!(kind, Kind::Number | Kind::Float | Kind::Date | Kind::Instant)
}

/// A field for a type of node, which has to be of the right kind.
fn of_kind(
    checker: &mut Checker<'_>,
    name: &str,
    spot: &Spot,
    node: &str,
    fits: impl Fn(&Kind) -> bool,
) -> Option<Arc<Field>> {
    let at_field = spot.part("field");
    let field = checker.field(name, &at_field)?;
    checker.note_leaf(spot, field.index);
    if !fits(&field.kind) {
        let detail = format!("The field {name} is not for {node}. Use {}.", nodes_for(&field.kind));
        checker.refuse(&at_field.pointer, "wrong_field_type", detail);
        return None;
    }
    Some(field)
}

fn nodes_for(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Texts => "text or present",
        Kind::Number | Kind::Float => "number, compare or present",
        Kind::Money => "money or present",
        Kind::Bool => "bool or present",
        Kind::Choice(_) => "choice or present",
        Kind::Tags(_) => "tags or present",
        Kind::Date => "date, rolling, calendar, anniversary or present",
        Kind::Instant => "instant, rolling, calendar or present",
    }
}

fn text(checker: &mut Checker<'_>, node: &TextNode, spot: &Spot) -> Option<Condition> {
    let field = of_kind(checker, &node.field, spot, "text", |kind| matches!(kind, Kind::Text | Kind::Texts));
    use TextOperator::{Contains, EndsWith, Eq, In, Ne, NotContains, NotIn, StartsWith};
    let given = if matches!(node.op, In | NotIn) {
        let values = checker.needed(node.values.clone(), &spot.pointer, "values")?;
        checker.values(&values, spot)?;
        values
    } else {
        let value = checker.needed(node.value.clone(), &spot.pointer, "value")?;
        checker.short(&value, &spot.at("value"))?;
        vec![value]
    };
    let field = field?;
    let whole = matches!(node.op, Eq | Ne | In | NotIn);
    let country = checker.surroundings.country;
    let folded: Vec<String> = given.iter().map(|value| folded(field.folding, value, whole, country)).collect();
    let first = folded.first().cloned().unwrap_or_default();
    let least = if matches!(node.op, Contains | NotContains) { SHORTEST_PART } else { 1 };
    if !whole && first.chars().count() < least {
        let detail = format!("Look for at least {least} characters.");
        checker.refuse(&spot.at("value"), "too_short", detail);
        return None;
    }
    let predicate = match node.op {
        Eq | Ne | In | NotIn => Predicate::OneOfTexts(folded),
        Contains | NotContains => Predicate::Contains(first),
        StartsWith => Predicate::StartsWith(first),
        EndsWith => Predicate::EndsWith(first),
    };
    Some(Condition::Field(field, predicate).negated_if(matches!(node.op, Ne | NotIn | NotContains)))
}

/// A text as it is compared. A whole one is put into the form in which such values are kept.
fn folded(folding: Folding, value: &str, whole: bool, country: Option<&str>) -> String {
    let tidy = || value.trim().to_lowercase();
    match folding {
        Folding::Exact => value.to_owned(),
        Folding::Folded => text::fold(value),
        Folding::Email => tidy(),
        Folding::Phone if whole => standards::normalise_phone(value, country).unwrap_or_else(tidy),
        Folding::Domain if whole => standards::normalise_domain(value).unwrap_or_else(tidy),
        Folding::Phone | Folding::Domain => tidy(),
    }
}

/// What a number is compared with.
struct Operands {
    value: Option<Decimal>,
    low: Option<Decimal>,
    high: Option<Decimal>,
    values: Option<Vec<Decimal>>,
}

impl Operands {
    fn of_number(node: &NumberNode) -> Self {
        Self { value: node.value, low: node.low, high: node.high, values: node.values.clone() }
    }

    fn of_money(node: &MoneyNode) -> Self {
        Self { value: node.value, low: node.low, high: node.high, values: node.values.clone() }
    }

    fn of_aggregate(node: &AggregateNode) -> Self {
        Self { value: node.value, low: node.low, high: node.high, values: node.values.clone() }
    }
}

/// The numbers that are meant, or those that are not.
fn numbers(
    checker: &mut Checker<'_>,
    operator: NumberOperator,
    operands: Operands,
    spot: &Spot,
) -> Option<(Numbers, bool)> {
    use Bound::{Excluded, Included, Unbounded};
    let span = |from, until| Numbers::Span(Span { from, until });
    let mut value = || checker.needed(operands.value, &spot.pointer, "value");
    Some(match operator {
        NumberOperator::Eq => (Numbers::OneOf(vec![value()?]), false),
        NumberOperator::Ne => (Numbers::OneOf(vec![value()?]), true),
        NumberOperator::Lt => (span(Unbounded, Excluded(value()?)), false),
        NumberOperator::Lte => (span(Unbounded, Included(value()?)), false),
        NumberOperator::Gt => (span(Excluded(value()?), Unbounded), false),
        NumberOperator::Gte => (span(Included(value()?), Unbounded), false),
        NumberOperator::In => {
            let values = checker.needed(operands.values, &spot.pointer, "values")?;
            checker.few(&values, spot)?;
            (Numbers::OneOf(values), false)
        }
        NumberOperator::Between | NumberOperator::NotBetween => {
            let low = checker.needed(operands.low, &spot.pointer, "low");
            let high = checker.needed(operands.high, &spot.pointer, "high");
            let (low, high) = checker.ordered(low?, high?, &spot.at("high"))?;
            (span(Included(low), Included(high)), operator == NumberOperator::NotBetween)
        }
    })
}

fn choice(checker: &mut Checker<'_>, node: &ChoiceNode, spot: &Spot) -> Option<Condition> {
    let field = of_kind(checker, &node.field, spot, "choice", |kind| matches!(kind, Kind::Choice(_)));
    checker.values(&node.values, spot)?;
    let field = field?;
    let Kind::Choice(options) = &field.kind else { return None };
    let values = checker.options(options, &node.values, spot)?;
    let condition = Condition::Field(Arc::clone(&field), Predicate::OneOf(values));
    Some(condition.negated_if(node.op == ChoiceOperator::NotIn))
}

fn tags(checker: &mut Checker<'_>, node: &TagsNode, spot: &Spot) -> Option<Condition> {
    let field = of_kind(checker, &node.field, spot, "tags", |kind| matches!(kind, Kind::Tags(_)));
    if node.op == TagsOperator::Count {
        let count = checker.needed(node.count.clone(), &spot.pointer, "count")?;
        let bounds = checker.count(&count, &spot.at("count"))?;
        return Some(Condition::Field(field?, Predicate::Count(bounds)));
    }
    let values = checker.needed(node.values.clone(), &spot.pointer, "values")?;
    checker.values(&values, spot)?;
    let field = field?;
    let Kind::Tags(options) = &field.kind else { return None };
    let values = checker.options(options, &values, spot)?;
    let predicate = match node.op {
        TagsOperator::HasAll => Predicate::HasAll(values),
        TagsOperator::HasAny | TagsOperator::HasNone | TagsOperator::Count => Predicate::HasAny(values),
    };
    Some(Condition::Field(Arc::clone(&field), predicate).negated_if(node.op == TagsOperator::HasNone))
}

fn date(checker: &mut Checker<'_>, node: &DateNode, spot: &Spot) -> Option<Condition> {
    use Bound::{Excluded, Included, Unbounded};
    let field = of_kind(checker, &node.field, spot, "date", |kind| *kind == Kind::Date);
    let span = if node.op == DateOperator::Between {
        let from = checker.needed(node.from, &spot.pointer, "from");
        let to = checker.needed(node.to, &spot.pointer, "to");
        let (from, to) = checker.ordered(from?, to?, &spot.at("to"))?;
        Span { from: Included(from), until: Included(to) }
    } else {
        let on = checker.needed(node.on, &spot.pointer, "on")?;
        match node.op {
            DateOperator::Before => Span { from: Unbounded, until: Excluded(on) },
            DateOperator::After => Span { from: Excluded(on), until: Unbounded },
            DateOperator::On | DateOperator::Between => Span { from: Included(on), until: Included(on) },
        }
    };
    checker.told([node.on, node.from, node.to].map(|day| day.map(|day| day.year())), spot)?;
    Some(Condition::Field(field?, Predicate::Date(span)))
}

fn instant(checker: &mut Checker<'_>, node: &InstantNode, spot: &Spot) -> Option<Condition> {
    use Bound::{Excluded, Included, Unbounded};
    let field = of_kind(checker, &node.field, spot, "instant", |kind| *kind == Kind::Instant);
    let cut = |moment: DateTime<Utc>| moment.trunc_subsecs(6);
    let span = if node.op == InstantOperator::Between {
        let from = checker.needed(node.from, &spot.pointer, "from");
        let to = checker.needed(node.to, &spot.pointer, "to");
        let (from, to) = checker.ordered(from?, to?, &spot.at("to"))?;
        Span { from: Included(cut(from)), until: Excluded(cut(to)) }
    } else {
        let at = cut(checker.needed(node.at, &spot.pointer, "at")?);
        match node.op {
            InstantOperator::Before => Span { from: Unbounded, until: Excluded(at) },
            InstantOperator::After | InstantOperator::Between => Span { from: Included(at), until: Unbounded },
        }
    };
    checker.told([node.at, node.from, node.to].map(|moment| moment.map(|moment| moment.year())), spot)?;
    Some(Condition::Field(field?, Predicate::Instant(span)))
}

/// A span of moments or dates, whichever the field holds.
fn timed(
    checker: &mut Checker<'_>,
    field: Arc<Field>,
    spot: &Spot,
    dates: impl FnOnce() -> Option<Span<NaiveDate>>,
    moments: impl FnOnce() -> Option<Span<DateTime<Utc>>>,
) -> Option<Condition> {
    let predicate = match field.kind {
        Kind::Date => dates().map(Predicate::Date),
        _ => moments().map(Predicate::Instant),
    };
    if predicate.is_none() {
        checker.refuse(&spot.pointer, "out_of_range", "This reaches beyond the years 1 to 9999. Take less.");
    }
    Some(Condition::Field(field, predicate?))
}

fn rolling(checker: &mut Checker<'_>, node: &RollingNode, spot: &Spot) -> Option<Condition> {
    let field = of_kind(checker, &node.field, spot, "rolling", |kind| matches!(kind, Kind::Date | Kind::Instant))?;
    if field.kind == Kind::Date && matches!(node.unit, RollingUnit::Minute | RollingUnit::Hour) {
        let detail = "A date knows no minutes and hours. Use day, week, month or year.";
        checker.refuse(&spot.at("unit"), "wrong_unit", detail);
        return None;
    }
    fn span<T: Moment>(now: time::Now, node: &RollingNode) -> Option<Span<T>> {
        time::rolling(now, node.op, node.amount, node.unit)
    }
    let now = checker.now;
    let condition = timed(checker, field, spot, || span(now, node), || span(now, node))?;
    Some(condition.negated_if(node.op == RollingOperator::NotInLast))
}

fn calendar(checker: &mut Checker<'_>, node: &CalendarNode, spot: &Spot) -> Option<Condition> {
    let field = of_kind(checker, &node.field, spot, "calendar", |kind| matches!(kind, Kind::Date | Kind::Instant))?;
    let is_fiscal = matches!(node.period, CalendarPeriod::FiscalQuarter | CalendarPeriod::FiscalYear);
    let start = match node.fiscal_year_start {
        None if is_fiscal => checker.needed(None, &spot.pointer, "fiscal_year_start")?,
        start => start.unwrap_or(1),
    };
    let now = checker.now;
    fn span<T: Moment>(now: time::Now, node: &CalendarNode, start: u32) -> Option<Span<T>> {
        time::calendar(now, node.period, start, node.offset, node.count)
    }
    timed(checker, field, spot, || span(now, node, start), || span(now, node, start))
}

fn compare(checker: &mut Checker<'_>, node: &CompareNode, spot: &Spot) -> Option<Condition> {
    let left = checker.field(&node.left, &spot.part("left"));
    let right = checker.field(&node.right, &spot.part("right"));
    checker.note_leaf(spot, IndexClass::None);
    let (left, right) = (left?, right?);
    let alike = match (&left.kind, &right.kind) {
        (Kind::Choice(one), Kind::Choice(other)) => (*one == Options::Ids) == (*other == Options::Ids),
        (Kind::Texts | Kind::Tags(_) | Kind::Bool, _) => false,
        (one, other) => one == other,
    };
    if !alike {
        let detail = "Fields of this type can't be compared with each other.";
        checker.refuse(&spot.at("right"), "wrong_field_type", detail);
        return None;
    }
    let negated = node.op == CompareOperator::Ne;
    let operator = if negated { CompareOperator::Eq } else { node.op };
    if operator != CompareOperator::Eq && !(has_order(&left.kind) || left.kind == Kind::Money) {
        let detail = format!("The fields {} and {} can only be equal or not: use eq or ne.", left.name, right.name);
        checker.refuse(&spot.at("op"), "wrong_operator", detail);
        return None;
    }
    Some(Condition::Compare(left, operator, right).negated_if(negated))
}

fn geo_within(checker: &mut Checker<'_>, node: &GeoWithinNode, spot: &Spot) -> Option<Condition> {
    if !spot.entity.has_place() {
        let detail =
            format!("A {} is nowhere on the map. Ask for the place of a related record.", spot.entity.as_str());
        checker.refuse(&spot.pointer, "not_applicable", detail);
        return None;
    }
    checker.require_open(&["addresses"], spot)?;
    let circle = node.center.is_some() || node.radius_m.is_some();
    if [circle, node.bbox.is_some(), node.countries.is_some()].into_iter().filter(|is| *is).count() != 1 {
        let detail = "Give center and radius_m, or bbox, or countries.";
        checker.refuse(&spot.pointer, "one_of", detail);
        return None;
    }
    let is_indexed = node.countries.is_some() || spot.entity == Entity::Contact;
    checker.note_leaf(spot, if is_indexed { IndexClass::Btree } else { IndexClass::None });
    let area = match (node.bbox, &node.countries) {
        (Some(area), _) => Area::Box(area),
        (_, Some(countries)) => Area::Countries(countries.clone()),
        _ => {
            let center = checker.needed(node.center, &spot.pointer, "center");
            let radius = checker.needed(node.radius_m, &spot.pointer, "radius_m");
            Area::Circle(Circle { center: center?, radius: radius? })
        }
    };
    Some(Condition::Within(spot.entity, area))
}

fn matching(checker: &mut Checker<'_>, node: &MatchNode, spot: &Spot) -> Option<Condition> {
    let parts = text::sought_parts(&node.query);
    if parts.is_empty() {
        checker.refuse(&spot.at("query"), "nothing_to_search", "Search for at least one letter or digit.");
        return None;
    }
    if let Some(names) = &node.fields {
        return matching_in(checker, names, &parts, spot);
    }
    checker.require_open(spot.entity.searched(), spot)?;
    checker.note_leaf(spot, IndexClass::Trgm);
    Some(Condition::Match(spot.entity, parts))
}

/// Each part stands in one of these fields.
fn matching_in(checker: &mut Checker<'_>, names: &[String], parts: &[String], spot: &Spot) -> Option<Condition> {
    let mut fields = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let at_field = spot.part(&format!("fields/{index}"));
        let field = checker.field(name, &at_field);
        // What is compared as it is written has no words.
        let is_text =
            |field: &Arc<Field>| matches!(field.kind, Kind::Text | Kind::Texts) && field.folding != Folding::Exact;
        if field.as_ref().is_some_and(|field| !is_text(field)) {
            let detail = format!("The field {name} holds no text with words. Leave it out.");
            checker.refuse(&at_field.pointer, "wrong_field_type", detail);
        }
        fields.push(field.filter(is_text));
    }
    let fields: Vec<Arc<Field>> = fields.into_iter().collect::<Option<_>>()?;
    checker.note_leaf(spot, fields.iter().map(|field| field.index).min().unwrap_or(IndexClass::None));
    let country = checker.surroundings.country;
    let stands_in = |part: &String, field: &Arc<Field>| {
        // In a single field, a short part is looked for anywhere.
        let part = folded(field.folding, part.trim_start(), false, country);
        Condition::Field(Arc::clone(field), Predicate::Contains(part))
    };
    let each = parts.iter().map(|part| Condition::Any(fields.iter().map(|field| stands_in(part, field)).collect()));
    Some(Condition::All(each.collect()))
}

/// What is worked out over related records; the relation and its condition were judged before.
pub(super) fn aggregate(
    checker: &mut Checker<'_>,
    node: &AggregateNode,
    relation: &'static Relation,
    condition: Condition,
    spot: &Spot,
) -> Option<Condition> {
    let there = spot.part("field").of(relation.to);
    let field = checker.field(&node.field, &there);
    let numbers = numbers(checker, node.op, Operands::of_aggregate(node), spot);
    let (field, (numbers, negated)) = (field?, numbers?);
    let counts = node.function == AggregateFunction::CountDistinct;
    let fits = match field.kind {
        Kind::Number | Kind::Money => true,
        Kind::Texts | Kind::Tags(_) => false,
        _ => counts,
    };
    if !fits {
        let detail = "Sums, averages and extremes are of exact numbers and money; single values can be counted.";
        checker.refuse(&there.pointer, "wrong_field_type", detail);
        return None;
    }
    let currency = match field.kind {
        Kind::Money => Some(checker.needed(node.currency.clone(), &spot.pointer, "currency")?),
        _ => None,
    };
    let is_zero_of_none = counts || node.function == AggregateFunction::Sum;
    let verdict = Verdict { holds_for_zero: is_zero_of_none && numbers.holds(Decimal::ZERO), numbers };
    let function = node.function;
    let aggregate = Aggregate { relation, condition, function, field, currency, verdict };
    Some(Condition::Aggregate(Box::new(aggregate)).negated_if(negated))
}

impl Checker<'_> {
    /// Texts that are few and short enough.
    fn values(&mut self, values: &[String], spot: &Spot) -> Option<()> {
        let mut fits = self.few(values, spot).is_some();
        for (index, value) in values.iter().enumerate() {
            fits &= self.short(value, &spot.at(&format!("values/{index}"))).is_some();
        }
        fits.then_some(())
    }

    fn few<T>(&mut self, values: &[T], spot: &Spot) -> Option<()> {
        if values.len() > MOST_VALUES {
            self.refuse(&spot.at("values"), "too_many", format!("At most {MOST_VALUES} values are allowed."));
        }
        (values.len() <= MOST_VALUES).then_some(())
    }

    fn short(&mut self, value: &str, pointer: &str) -> Option<()> {
        if value.len() > LONGEST {
            self.refuse(pointer, "too_long", format!("At most {LONGEST} bytes are allowed."));
        }
        (value.len() <= LONGEST).then_some(())
    }

    /// Values in the form in which they are kept, of those that there can be.
    fn options(&mut self, options: &Options, values: &[String], spot: &Spot) -> Option<Vec<String>> {
        let mut kept = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let pointer = spot.at(&format!("values/{index}"));
            let known: Vec<&str> = match options {
                Options::Open => vec![value],
                Options::Ids => {
                    match Uuid::try_parse(value) {
                        Ok(id) => kept.push(id.to_string()),
                        Err(_) => {
                            let detail = "This is not an id. Ids are UUIDs, like 0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b.";
                            self.refuse(&pointer, "invalid_uuid", detail);
                        }
                    }
                    continue;
                }
                Options::Words(words) => words.to_vec(),
                Options::Listed(words) => words.iter().map(String::as_str).collect(),
            };
            if known.contains(&value.as_str()) {
                kept.push(value.clone());
            } else {
                self.refuse(&pointer, "unknown_value", format!("This has to be one of {}.", known.join(", ")));
            }
        }
        (kept.len() == values.len()).then_some(kept)
    }

    /// Two ends of a range, the lower first.
    fn ordered<T: PartialOrd>(&mut self, low: T, high: T, pointer: &str) -> Option<(T, T)> {
        if low > high {
            self.refuse(pointer, "out_of_range", "The end of a range can't lie before its beginning.");
            return None;
        }
        Some((low, high))
    }

    /// Years that can be written with four digits.
    fn told<const N: usize>(&mut self, years: [Option<i32>; N], spot: &Spot) -> Option<()> {
        let fits = years.iter().flatten().all(|year| (1..=9999).contains(year));
        if !fits {
            self.refuse(&spot.pointer, "out_of_range", "Only the years 1 to 9999 can be compared.");
        }
        fits.then_some(())
    }
}
