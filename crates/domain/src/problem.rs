//! What is wrong with an input, told by place, so that a caller sees everything at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

/// One thing that is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Place in the request body, as a JSON Pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/emails/0/address")]
    pub pointer: Option<String>,
    /// Name of the query or path parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "limit")]
    pub parameter: Option<String>,
    /// Name of the request header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "If-Match")]
    pub header: Option<String>,
    /// Stable code for programs.
    #[schema(example = "invalid_email")]
    pub code: String,
    /// What is wrong and what to do about it, for people.
    #[schema(example = "This is not an e-mail address. Write it like anna@example.com.")]
    pub detail: String,
}

impl FieldProblem {
    /// A problem at a place of the body.
    pub fn at(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..Self::new(code, detail) }
    }

    /// A problem with a query or path parameter.
    pub fn parameter(name: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.into()), ..Self::new(code, detail) }
    }

    /// A problem with a header.
    pub fn header(name: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { header: Some(name.into()), ..Self::new(code, detail) }
    }

    fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: None, header: None, code: code.into(), detail: detail.into() }
    }
}

/// The code of a state that can't be reached from the one there is.
pub const INVALID_TRANSITION: &str = "invalid_transition";

/// Everything that is wrong with a value. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Vec<FieldProblem>);

impl Invalid {
    /// One problem alone.
    pub fn one(problem: FieldProblem) -> Self {
        Self(vec![problem])
    }

    /// One problem at a place of the body.
    pub fn at(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self::one(FieldProblem::at(pointer, code, detail))
    }

    /// A state that can't be reached from the one there is: the detail names those that can.
    pub fn transition(pointer: &str, detail: impl Into<String>) -> Self {
        Self::at(pointer, INVALID_TRANSITION, detail)
    }

    /// Whether all that is wrong is a state that can't be reached. Then the input is fine, and what is there is not.
    pub fn is_transition(&self) -> bool {
        self.0.iter().all(|problem| problem.code == INVALID_TRANSITION)
    }

    /// Whether all that is wrong is at one of these places.
    pub fn is_about(&self, pointers: &[&str]) -> bool {
        self.0.iter().all(|problem| problem.pointer.as_deref().is_some_and(|pointer| pointers.contains(&pointer)))
    }

    /// Those listed, of which there is at least one.
    pub fn of(problems: Vec<FieldProblem>) -> Self {
        Self(problems)
    }

    /// Both values, or everything that is wrong with either.
    pub fn or_both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(one), Err(other)) => Err(Self([one.0, other.0].concat())),
            (Err(invalid), Ok(_)) | (Ok(_), Err(invalid)) => Err(invalid),
        }
    }

    pub fn into_problems(self) -> Vec<FieldProblem> {
        self.0
    }

    pub fn problems(&self) -> &[FieldProblem] {
        &self.0
    }
}

/// Gathers problems by JSON Pointer.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldProblem>);

impl Fields {
    /// Notes that something is wrong at a place.
    pub fn refuse(&mut self, pointer: impl Into<String>, code: &str, detail: impl Into<String>) {
        self.0.push(FieldProblem::at(pointer, code, detail));
    }

    /// Takes over what the derived rules of a value say.
    pub fn absorb(&mut self, value: &impl Validate) {
        if let Err(errors) = value.validate() {
            self.absorb_at("", &errors);
        }
    }

    fn absorb_at(&mut self, place: &str, errors: &ValidationErrors) {
        let in_order: BTreeMap<_, _> = errors.errors().iter().collect();
        for (name, kind) in in_order {
            let pointer = format!("{place}/{name}");
            match kind {
                ValidationErrorsKind::Struct(inner) => self.absorb_at(&pointer, inner),
                ValidationErrorsKind::List(items) => {
                    for (index, inner) in items {
                        self.absorb_at(&format!("{pointer}/{index}"), inner);
                    }
                }
                ValidationErrorsKind::Field(problems) => {
                    for problem in problems {
                        let detail = problem.message.clone().unwrap_or_else(|| problem.code.clone());
                        self.refuse(pointer.clone(), &problem.code, detail);
                    }
                }
            }
        }
    }

    /// `Ok` when nothing was refused.
    pub fn verdict(self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Validate)]
    struct Inner {
        #[validate(length(max = 1))]
        text: String,
    }

    #[derive(Validate)]
    struct Outer {
        #[validate(nested)]
        items: Vec<Inner>,
    }

    #[test]
    fn a_problem_deep_inside_is_found_by_its_pointer() {
        let mut fields = Fields::default();
        fields.absorb(&Outer { items: vec![Inner { text: "a".into() }, Inner { text: "abc".into() }] });
        let invalid = fields.verdict().unwrap_err();
        assert_eq!(invalid.problems()[0].pointer.as_deref(), Some("/items/1/text"));
    }
}
