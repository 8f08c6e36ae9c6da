//! Conditions of filters as SQL: one parenthesised predicate, in which every value is bound and every identifier comes
//! from the catalogue.
//!
//! Negations are pushed down to the leaves: a positive leaf is true or not (NULL counts as not, for above it stand only
//! AND and OR), a negative one is `(…) IS NOT TRUE`. So a missing value is never matched by a comparison and always by its
//! complement. Related records are found as sets (`IN (SELECT …)`), never record by record, and start from what the caller
//! may see, as every read does.

mod compile;
mod explain;
mod fields;
mod relations;
mod statement;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    sql_types,
};
use rapport_domain::{
    access::Resource,
    filter::{self, Catalogue, Checked, Condition, Definition, Filter, IndexClass, Refused, Surroundings},
    people::contact::DeletedInList,
    problem::FieldProblem,
};

pub(crate) use self::compile::{expression as value, table};
pub use self::explain::explain;
use self::{compile::Compiler, statement::Piece};
use crate::{Reader, StoreError, expression::expression, workspace::custom_fields};

/// A statement has 65,535 values at most, and a list of up to 18 lanes repeats those of the filter in each.
const MOST_VALUES: usize = 3_000;

/// A condition as SQL. Cloning it is cheap: each lane of a list has its own.
#[derive(Clone)]
pub(crate) struct Compiled {
    pieces: Arc<Vec<Piece>>,
    /// Whether one plan serves all values, so that the statement is worth keeping.
    is_kept: bool,
}

impl Compiled {
    /// The condition of a tree that a caller wrote, for a list of living records or of deleted ones. Its text is one of
    /// many.
    pub(crate) fn of_tree(
        reader: &Reader<'_>,
        condition: &Condition,
        deleted: DeletedInList,
    ) -> Result<Self, StoreError> {
        let pieces = Compiler::compiled(reader, condition, deleted);
        if pieces.iter().filter(|piece| piece.is_value()).count() > MOST_VALUES {
            let detail = "The filter compares with too much. Leave conditions out, or put values into one list.";
            return Err(StoreError::field("/filter/where", "too_many_values", detail));
        }
        Ok(Self { pieces: Arc::new(pieces), is_kept: false })
    }

    /// The condition of the parameters of a list.
    fn of_parameters(reader: &Reader<'_>, condition: &Condition, names: &[&'static str]) -> Result<Self, StoreError> {
        // Parameters name no custom fields, so it is one for the living and the deleted.
        let compiled = Self::of_tree(reader, condition, DeletedInList::Only)?;
        // The records of an owner are a range of an index in the order of the list, however many they are.
        let values: Vec<&Piece> = compiled.pieces.iter().filter(|piece| piece.is_value()).collect();
        let is_kept = names == ["owner_id"] && matches!(values.as_slice(), [Piece::Uuid(_)]);
        Ok(Self { is_kept, ..compiled })
    }
}

impl QueryFragment<Pg> for Compiled {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.is_kept {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("(");
        for piece in self.pieces.iter() {
            piece.push(out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }
}

expression!(Compiled, sql_types::Bool);

/// Judges a filter that stands at a place of a request. The fields of the workspace are asked for where it names some.
pub(crate) fn checked(
    reader: &mut Reader<'_>,
    filter: &Filter,
    place: &str,
) -> Result<Result<Checked, Refused>, StoreError> {
    checked_at(reader, filter, place, reader.now())
}

/// The same as of an instant, which is the present of the filter.
pub(crate) fn checked_at(
    reader: &mut Reader<'_>,
    filter: &Filter,
    place: &str,
    as_of: DateTime<Utc>,
) -> Result<Result<Checked, Refused>, StoreError> {
    if !filter.names_custom_fields() {
        return Ok(judged(reader, Catalogue::standard(), filter, place, as_of));
    }
    let mut definitions: Vec<Definition> = Vec::new();
    for resource in Resource::ALL {
        definitions.extend(custom_fields::of(reader, *resource)?.live().map(Definition::from));
    }
    Ok(judged(reader, &Catalogue::standard().with(&definitions), filter, place, as_of))
}

fn judged(
    reader: &Reader<'_>,
    catalogue: &Catalogue,
    filter: &Filter,
    place: &str,
    as_of: DateTime<Utc>,
) -> Result<Checked, Refused> {
    let scope = reader.scope();
    let surroundings = Surroundings { catalogue, grants: scope.grants(), as_of, country: scope.country() };
    filter::check(filter, place, &surroundings)
}

/// The filter of a search, judged; its problems are told at `/filter`.
pub(crate) fn of_search(
    reader: &mut Reader<'_>,
    filter: Option<&Filter>,
    entity: filter::Entity,
) -> Result<Option<Checked>, StoreError> {
    let Some(filter) = filter else { return Ok(None) };
    if filter.entity != entity {
        let detail = format!("Here records of the entity {} are searched.", entity.as_str());
        return Err(StoreError::field("/filter/entity", "wrong_entity", detail));
    }
    checked(reader, filter, "/filter")?.map(Some).map_err(refused)
}

/// What is closed counts first: nobody learns by trying what else is wrong.
pub(crate) fn refused(refused: Refused) -> StoreError {
    if refused.closed.is_empty() {
        StoreError::fields(refused.invalid)
    } else {
        StoreError::ClosedFields(refused.closed)
    }
}

/// The condition of the parameters of a list, each with its node.
pub(crate) fn of_parameters(
    reader: &Reader<'_>,
    entity: filter::Entity,
    parameters: Vec<(&'static str, filter::Node)>,
) -> Result<Option<Compiled>, StoreError> {
    if parameters.is_empty() {
        return Ok(None);
    }
    let (names, nodes): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
    let tree = Filter::new(entity, filter::Node::All(filter::AllNode { nodes }));
    let checked = judged(reader, Catalogue::standard(), &tree, "", reader.now()).map_err(|refused| {
        let problem = refused.closed.into_iter().chain(refused.invalid).next();
        problem.map_or(StoreError::Internal("a list was refused without a reason".to_owned()), |problem| {
            StoreError::Parameter(Box::new(at_parameter(problem, &names)))
        })
    })?;
    Compiled::of_parameters(reader, &checked.condition, &names).map(Some)
}

/// A problem of the tree of a list, told of the parameter that its node comes from.
fn at_parameter(problem: FieldProblem, names: &[&'static str]) -> FieldProblem {
    let pointer = problem.pointer.unwrap_or_default();
    let index = pointer.strip_prefix("/where/nodes/").and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
    let name = index.and_then(|index| names.get(index)).copied().unwrap_or_default();
    FieldProblem::parameter(name, &problem.code, problem.detail)
}

/// Says of a search that took too long what to do about it.
pub(crate) fn too_costly(error: StoreError, checked: Option<&Checked>) -> StoreError {
    if !matches!(error, StoreError::TooSlow) {
        return error;
    }
    let leaves = checked.map_or(&[][..], |checked| &checked.leaves);
    let unaided: Vec<&str> = leaves
        .iter()
        .filter(|leaf| leaf.index == IndexClass::None)
        .map(|leaf| leaf.pointer.as_str())
        .take(10)
        .collect();
    StoreError::TooCostly(match unaided.as_slice() {
        [] => "The search took too long. Narrow it with further conditions, or ask for it without count.".to_owned(),
        unaided => format!(
            "The search took too long. No index helps with {}: narrow the search with a condition that has one, such as a \
             time, an owner, a country, a tag or a part of the name.",
            unaided.join(", ")
        ),
    })
}
