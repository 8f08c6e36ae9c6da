//! What can go wrong with the store, told by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use rapport_domain::{
    people::duplicate::DuplicateCandidate,
    problem::{FieldProblem, Invalid},
    record::RecordKind,
};

/// Why the store did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such record, or the caller may not know of it.
    #[error("no such {}", .0.as_str())]
    Missing(RecordKind),
    /// The record has moved on from the version that the caller knows.
    #[error("the record is at version {current} by now")]
    Stale { current: i64 },
    /// The caller expects a record to be there, and it is not.
    #[error("there is no such record yet")]
    NothingToMatch,
    /// The caller may know of it, but not do this.
    #[error("{0}")]
    Forbidden(String),
    /// Fields that the caller may not read or write are used all the same.
    #[error("{} closed fields", .0.len())]
    ClosedFields(Vec<FieldProblem>),
    /// The input breaks a rule.
    #[error("{} invalid fields", .0.problems().len())]
    Invalid(Invalid),
    /// A query or path parameter is wrong.
    #[error("parameter {}: {}", .0.parameter.as_deref().unwrap_or("?"), .0.detail)]
    Parameter(Box<FieldProblem>),
    /// Somebody with the same mailbox or line is known.
    #[error("{} possible duplicates", .0.len())]
    Duplicates(Vec<DuplicateCandidate>),
    /// Several records may be the one that is meant.
    #[error("{} {what} records may be meant", .candidates.len())]
    Ambiguous { what: &'static str, candidates: Vec<DuplicateCandidate> },
    /// What was built on something stands in the way of taking it back.
    #[error("{} things stand in the way", .0.len())]
    InTheWay(Vec<FieldProblem>),
    /// Somebody else did the same thing first.
    #[error("{detail}")]
    Conflict { code: &'static str, detail: String },
    /// Operations of a batch of which all or none are to be done, by their index.
    #[error("{} operations of a batch failed", .0.len())]
    BatchRefused(Vec<(usize, StoreError)>),
    /// The idempotency key stands for another write.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// Another write with the same idempotency key has not come to its end.
    #[error("the idempotency key is in use")]
    KeyInUse,
    /// What the cursor leads to is not kept any more.
    #[error("the cursor is not good any more: {0}")]
    ResyncRequired(&'static str),
    /// No connection came free in time.
    #[error("all database connections are in use")]
    Busy,
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke while it was used.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// The database gave up on a statement that took too long.
    #[error("the database took too long")]
    TooSlow,
    /// A search took longer than it may; the text says what to do.
    #[error("{0}")]
    TooCostly(String),
    /// Transactions got into each other's way; whoever tries again will get through.
    #[error("transactions got into each other's way")]
    Contention,
    /// A mistake of ours. Never shown to a caller.
    #[error("{0}")]
    Internal(String),
}

/// Refuses what is meant for another version of a record than the one that is there.
pub(crate) fn require_version(expected: Option<i64>, current: i64) -> Result<(), StoreError> {
    match expected {
        Some(version) if version != current => Err(StoreError::Stale { current }),
        _ => Ok(()),
    }
}

impl StoreError {
    /// A record that the caller may only see.
    pub(crate) fn may_not_change(kind: RecordKind) -> Self {
        Self::Forbidden(format!("You may see this {}, but not change it.", kind.as_str()))
    }

    /// One field is wrong.
    pub(crate) fn field(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(Invalid::at(pointer, code, detail))
    }

    /// Some fields are wrong: those listed, of which there is at least one.
    pub(crate) fn fields(problems: Vec<FieldProblem>) -> Self {
        Self::Invalid(Invalid::of(problems))
    }

    /// One parameter is wrong.
    pub(crate) fn parameter(name: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::Parameter(Box::new(FieldProblem::parameter(name, code, detail)))
    }

    /// The same where what a list takes as a parameter stands in the body.
    pub(crate) fn in_body(self) -> Self {
        match self {
            Self::Parameter(problem) => match &problem.parameter {
                Some(name) => Self::field(&format!("/{name}"), &problem.code, problem.detail),
                None => Self::Parameter(problem),
            },
            other => other,
        }
    }
}

impl From<Invalid> for StoreError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(error: r2d2::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// What a violated constraint means to a caller.
pub(crate) enum Meaning {
    /// The record that this field names does not exist.
    Unknown { pointer: &'static str, what: &'static str },
    /// The value of this field is not one of those allowed.
    NotAllowed { pointer: &'static str, detail: &'static str },
    /// Somebody has it already.
    Taken { code: &'static str, detail: &'static str },
    /// Code of ours has to prevent it: if it happens, that is a defect.
    Ours,
}

/// Every named constraint that a write can violate. A test over the catalog finds those that are missing.
pub(crate) const CONSTRAINTS: &[(&str, Meaning)] = &[
    ("api_key_secrets_hash_check", Meaning::Ours),
    ("api_key_secrets_key_fkey", Meaning::Ours),
    ("api_key_secrets_pkey", Meaning::Ours),
    ("api_keys_pkey", Meaning::Ours),
    ("api_keys_user_fkey", Meaning::Unknown { pointer: "/user_id", what: "user" }),
    ("api_keys_workspace_fkey", Meaning::Ours),
    ("api_keys_workspace_unique", Meaning::Ours),
    (
        "companies_annual_revenue_check",
        Meaning::NotAllowed { pointer: "/annual_revenue_amount", detail: "Give amount and currency together." },
    ),
    ("calendar_feeds_hash_check", Meaning::Ours),
    ("calendar_feeds_pkey", Meaning::Ours),
    ("calendar_feeds_user_fkey", Meaning::Unknown { pointer: "/user_id", what: "user" }),
    ("companies_employee_range_check", Meaning::Ours),
    ("companies_kind_check", Meaning::Ours),
    ("companies_lifecycle_stage_check", Meaning::Ours),
    ("companies_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    (
        "assignment_rules_name_unique",
        Meaning::Taken { code: "name_taken", detail: "An assignment rule of this name exists already." },
    ),
    ("assignment_rules_pkey", Meaning::Ours),
    ("assignment_rules_strategy_check", Meaning::Ours),
    ("assignment_rules_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("assignment_rules_workspace_fkey", Meaning::Ours),
    ("assignment_turns_pkey", Meaning::Ours),
    ("assignment_turns_rule_fkey", Meaning::Ours),
    ("capture_forms_key_unique", Meaning::Ours),
    (
        "capture_forms_name_unique",
        Meaning::Taken { code: "name_taken", detail: "A capture form of this name exists already." },
    ),
    ("capture_forms_on_duplicate_check", Meaning::Ours),
    ("capture_forms_owner_fkey", Meaning::Unknown { pointer: "/defaults/owner_id", what: "user" }),
    ("capture_forms_pkey", Meaning::Ours),
    ("capture_forms_proof_check", Meaning::Ours),
    ("capture_forms_team_fkey", Meaning::Unknown { pointer: "/defaults/team_id", what: "team" }),
    ("capture_forms_workspace_fkey", Meaning::Ours),
    ("capture_submissions_form_fkey", Meaning::Ours),
    ("capture_submissions_lead_fkey", Meaning::Ours),
    ("capture_submissions_pkey", Meaning::Ours),
    ("capture_submissions_result_check", Meaning::Ours),
    ("companies_parent_check", Meaning::NotAllowed { pointer: "/parent_id", detail: "A company can't own itself." }),
    ("companies_parent_fkey", Meaning::Unknown { pointer: "/parent_id", what: "company" }),
    ("companies_pkey", Meaning::Ours),
    ("companies_source_channel_check", Meaning::Ours),
    ("companies_source_check", Meaning::Ours),
    ("companies_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("connections_direction_check", Meaning::Ours),
    (
        "connections_key_check",
        Meaning::NotAllowed { pointer: "/key", detail: "A key has small letters and digits, and is not import." },
    ),
    (
        "connections_key_unique",
        Meaning::Taken { code: "key_taken", detail: "A connection with this key exists already." },
    ),
    ("connections_kind_check", Meaning::Ours),
    ("connections_pkey", Meaning::Ours),
    ("connections_status_check", Meaning::Ours),
    ("connections_workspace_fkey", Meaning::Ours),
    ("contacts_company_fkey", Meaning::Unknown { pointer: "/company_id", what: "company" }),
    ("contacts_lifecycle_stage_check", Meaning::Ours),
    ("contacts_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("contacts_pkey", Meaning::Ours),
    ("contacts_source_channel_check", Meaning::Ours),
    ("contacts_source_check", Meaning::Ours),
    ("contacts_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    (
        "custom_field_values_unique",
        Meaning::Taken { code: "value_taken", detail: "Another record has this value in a field that is unique." },
    ),
    ("custom_field_values_pkey", Meaning::Ours),
    (
        "custom_fields_key_unique",
        Meaning::Taken { code: "key_taken", detail: "The resource has a custom field of this key already." },
    ),
    ("custom_fields_kind_check", Meaning::Ours),
    ("custom_fields_pkey", Meaning::Ours),
    ("custom_fields_resource_check", Meaning::Ours),
    ("custom_fields_workspace_fkey", Meaning::Ours),
    (
        "exchange_rates_currencies_check",
        Meaning::NotAllowed { pointer: "/to_currency", detail: "A currency is worth itself. Name another one." },
    ),
    ("exchange_rates_pkey", Meaning::Ours),
    ("exchange_rates_rate_check", Meaning::NotAllowed { pointer: "/rate", detail: "A rate is above zero." }),
    ("exchange_rates_workspace_fkey", Meaning::Ours),
    ("external_ids_pkey", Meaning::Taken { code: "external_id_taken", detail: "Another record has this external id." }),
    ("feed_heads_pkey", Meaning::Ours),
    ("feed_positions_pkey", Meaning::Ours),
    ("feed_positions_unique", Meaning::Ours),
    ("feed_waiting_pkey", Meaning::Ours),
    ("idempotency_keys_fingerprint_check", Meaning::Ours),
    ("idempotency_keys_pkey", Meaning::Ours),
    ("imports_pkey", Meaning::Ours),
    (
        "imports_running_unique",
        Meaning::Taken { code: "import_running", detail: "Another import of the same file is running." },
    ),
    ("imports_workspace_fkey", Meaning::Ours),
    ("journal_actor_check", Meaning::Ours),
    ("journal_pkey", Meaning::Ours),
    ("lead_conversions_lead_fkey", Meaning::Ours),
    ("lead_conversions_living_unique", Meaning::Ours),
    ("lead_conversions_pkey", Meaning::Ours),
    ("lead_statuses_class_check", Meaning::Ours),
    ("lead_statuses_class_unique", Meaning::Ours),
    (
        "lead_statuses_key_check",
        Meaning::NotAllowed { pointer: "/key", detail: "A key has small letters, digits and underscores." },
    ),
    (
        "lead_statuses_key_unique",
        Meaning::Taken { code: "key_taken", detail: "A lead status with this key exists already." },
    ),
    (
        "lead_statuses_name_unique",
        Meaning::Taken { code: "name_taken", detail: "A lead status of this name exists already." },
    ),
    ("lead_statuses_pkey", Meaning::Ours),
    ("lead_statuses_workspace_fkey", Meaning::Ours),
    ("lead_status_history_lead_fkey", Meaning::Ours),
    ("lead_status_history_pkey", Meaning::Ours),
    ("lead_score_changes_cause_check", Meaning::Ours),
    ("lead_score_changes_lead_fkey", Meaning::Ours),
    ("lead_score_changes_pkey", Meaning::Ours),
    ("lead_scores_due_cause_check", Meaning::Ours),
    ("lead_scores_due_check", Meaning::Ours),
    ("lead_scores_lead_fkey", Meaning::Ours),
    ("lead_scores_pkey", Meaning::Ours),
    ("leads_converted_company_fkey", Meaning::Ours),
    ("leads_converted_contact_fkey", Meaning::Ours),
    ("leads_converted_opportunity_fkey", Meaning::Ours),
    (
        "leads_expected_amount_check",
        Meaning::NotAllowed { pointer: "/expected_amount", detail: "Give amount and currency together." },
    ),
    ("leads_lead_source_check", Meaning::Ours),
    ("leads_lost_check", Meaning::Ours),
    ("leads_lost_reason_fkey", Meaning::Unknown { pointer: "/lost_reason_id", what: "lost reason" }),
    ("leads_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("leads_pkey", Meaning::Ours),
    ("leads_rating_check", Meaning::Ours),
    ("leads_status_fkey", Meaning::Unknown { pointer: "/status", what: "lead status" }),
    ("leads_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    (
        "lost_reasons_key_check",
        Meaning::NotAllowed { pointer: "/key", detail: "A key has small letters, digits and underscores." },
    ),
    (
        "lost_reasons_key_unique",
        Meaning::Taken { code: "key_taken", detail: "A lost reason with this key exists already." },
    ),
    ("lost_reasons_pkey", Meaning::Ours),
    ("lost_reasons_workspace_fkey", Meaning::Ours),
    ("notes_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("notes_pkey", Meaning::Ours),
    ("notes_source_check", Meaning::Ours),
    ("notes_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("opportunities_amount_check", Meaning::Ours),
    ("opportunities_closed_check", Meaning::Ours),
    ("opportunities_company_fkey", Meaning::Unknown { pointer: "/company_id", what: "company" }),
    ("opportunities_forecast_category_check", Meaning::Ours),
    ("opportunities_lost_check", Meaning::Ours),
    ("opportunities_lost_reason_fkey", Meaning::Unknown { pointer: "/lost_reason_id", what: "lost reason" }),
    ("opportunities_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("opportunities_pipeline_fkey", Meaning::Unknown { pointer: "/pipeline_id", what: "pipeline" }),
    ("opportunities_pkey", Meaning::Ours),
    ("opportunities_probability_check", Meaning::Ours),
    ("opportunities_source_check", Meaning::Ours),
    ("opportunities_stage_class_check", Meaning::Ours),
    ("opportunities_stage_fkey", Meaning::Unknown { pointer: "/stage_id", what: "stage" }),
    ("opportunities_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("opportunity_states_opportunity_fkey", Meaning::Ours),
    ("opportunity_states_pkey", Meaning::Ours),
    ("opportunity_states_time_check", Meaning::Ours),
    (
        "pipelines_default_unique",
        Meaning::Taken { code: "default_taken", detail: "Another pipeline was made the default meanwhile. Try again." },
    ),
    ("pipelines_name_unique", Meaning::Taken { code: "name_taken", detail: "A pipeline of this name exists already." }),
    ("pipelines_pkey", Meaning::Ours),
    ("pipelines_workspace_fkey", Meaning::Ours),
    (
        "products_code_unique",
        Meaning::Taken { code: "code_taken", detail: "Another product has this code. Choose one of its own." },
    ),
    ("products_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("products_pkey", Meaning::Ours),
    ("products_recurring_interval_check", Meaning::Ours),
    ("products_source_check", Meaning::Ours),
    ("products_stock_state_check", Meaning::Ours),
    (
        "products_tax_rate_check",
        Meaning::NotAllowed { pointer: "/tax_rate", detail: "A tax rate is a percentage from 0 to 100." },
    ),
    ("products_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("record_shares_access_check", Meaning::Ours),
    ("record_shares_pkey", Meaning::Ours),
    ("record_shares_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    (
        "record_shares_team_unique",
        Meaning::Taken {
            code: "shared_already",
            detail: "The record is shared with this team. Change or end that share.",
        },
    ),
    ("record_shares_user_fkey", Meaning::Unknown { pointer: "/user_id", what: "user" }),
    (
        "record_shares_user_unique",
        Meaning::Taken {
            code: "shared_already",
            detail: "The record is shared with this user. Change or end that share.",
        },
    ),
    ("record_shares_with_check", Meaning::Ours),
    ("refresh_tokens_hash_check", Meaning::Ours),
    ("refresh_tokens_pkey", Meaning::Ours),
    ("refresh_tokens_session_fkey", Meaning::Ours),
    ("roles_name_unique", Meaning::Taken { code: "name_taken", detail: "A role of this name exists already." }),
    ("roles_pkey", Meaning::Ours),
    ("roles_workspace_fkey", Meaning::Ours),
    ("score_definitions_entity_check", Meaning::Ours),
    (
        "score_definitions_name_unique",
        Meaning::Taken { code: "name_taken", detail: "A score definition of this name exists already." },
    ),
    ("score_definitions_pkey", Meaning::Ours),
    ("score_definitions_published_check", Meaning::Ours),
    (
        "score_definitions_published_unique",
        Meaning::Taken { code: "published_taken", detail: "Another definition was published meanwhile. Try again." },
    ),
    ("score_definitions_state_check", Meaning::Ours),
    ("score_versions_definition_fkey", Meaning::Ours),
    ("score_versions_number_check", Meaning::Ours),
    ("score_versions_pkey", Meaning::Ours),
    ("scorings_pkey", Meaning::Ours),
    ("scorings_version_fkey", Meaning::Ours),
    ("secrets_pkey", Meaning::Ours),
    ("sessions_pkey", Meaning::Ours),
    ("sessions_user_fkey", Meaning::Ours),
    ("signing_keys_pkey", Meaning::Ours),
    ("tasks_assignee_fkey", Meaning::Unknown { pointer: "/assignee_id", what: "user" }),
    ("tasks_kind_check", Meaning::Ours),
    ("tasks_owner_fkey", Meaning::Unknown { pointer: "/owner_id", what: "user" }),
    ("tasks_parent_check", Meaning::Ours),
    ("tasks_pkey", Meaning::Ours),
    ("tasks_priority_check", Meaning::Ours),
    ("tasks_source_check", Meaning::Ours),
    ("tasks_start_check", Meaning::NotAllowed { pointer: "/start_at", detail: "Work begins before the task is due." }),
    ("tasks_status_check", Meaning::Ours),
    ("tasks_status_class_check", Meaning::Ours),
    ("tasks_team_fkey", Meaning::Unknown { pointer: "/team_id", what: "team" }),
    ("spent_challenges_pkey", Meaning::Ours),
    ("stages_class_check", Meaning::Ours),
    ("stages_forecast_category_check", Meaning::Ours),
    ("stages_pipeline_fkey", Meaning::Ours),
    ("stages_pkey", Meaning::Ours),
    ("stages_probability_check", Meaning::Ours),
    ("team_members_pkey", Meaning::Ours),
    ("team_members_team_fkey", Meaning::Unknown { pointer: "/team_ids", what: "team" }),
    ("team_members_user_fkey", Meaning::Ours),
    ("teams_name_unique", Meaning::Taken { code: "name_taken", detail: "A team of this name exists already." }),
    ("teams_parent_check", Meaning::NotAllowed { pointer: "/parent_id", detail: "A team can't be above itself." }),
    ("teams_parent_fkey", Meaning::Unknown { pointer: "/parent_id", what: "team" }),
    ("teams_pkey", Meaning::Ours),
    ("teams_workspace_fkey", Meaning::Ours),
    ("user_roles_pkey", Meaning::Ours),
    ("user_roles_role_fkey", Meaning::Unknown { pointer: "/role_ids", what: "role" }),
    ("user_roles_user_fkey", Meaning::Ours),
    (
        "users_email_check",
        Meaning::NotAllowed { pointer: "/email", detail: "An e-mail address has at most 254 characters." },
    ),
    (
        "users_email_unique",
        Meaning::Taken { code: "email_taken", detail: "A user with this e-mail address exists already." },
    ),
    ("user_tokens_hash_check", Meaning::Ours),
    ("user_tokens_pkey", Meaning::Ours),
    ("user_tokens_purpose_check", Meaning::Ours),
    ("user_tokens_user_fkey", Meaning::Ours),
    ("users_pkey", Meaning::Ours),
    ("users_state_check", Meaning::Ours),
    ("users_workspace_fkey", Meaning::Ours),
    ("views_owner_fkey", Meaning::Ours),
    ("views_pkey", Meaning::Ours),
    ("views_visibility_check", Meaning::Ours),
    ("views_workspace_fkey", Meaning::Ours),
    ("webhook_deliveries_kind_check", Meaning::Ours),
    ("webhook_deliveries_pkey", Meaning::Ours),
    ("webhook_deliveries_webhook_fkey", Meaning::Ours),
    ("webhook_states_pkey", Meaning::Ours),
    ("webhook_states_webhook_fkey", Meaning::Ours),
    ("webhooks_pkey", Meaning::Ours),
    ("webhooks_workspace_fkey", Meaning::Ours),
    (
        "workspaces_country_check",
        Meaning::NotAllowed { pointer: "/country", detail: "A country is an ISO 3166-1 code like DE." },
    ),
    (
        "workspaces_name_check",
        Meaning::NotAllowed {
            pointer: "/name",
            detail: "A workspace's name has small letters, digits and hyphens, 63 at most, and no hyphen first.",
        },
    ),
    (
        "workspaces_name_unique",
        Meaning::Taken { code: "workspace_taken", detail: "A workspace of this name exists already." },
    ),
    ("workspaces_pkey", Meaning::Ours),
];

/// The names of all constraints whose violation has a meaning here, for the test that compares them with the catalog.
pub fn known_constraints() -> impl Iterator<Item = &'static str> {
    CONSTRAINTS.iter().map(|(name, _)| *name)
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(kind, information) => match kind {
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                    Self::Lost(information.message().to_owned())
                }
                DatabaseErrorKind::SerializationFailure => Self::Contention,
                _ => match information.constraint_name().and_then(meaning) {
                    Some(meaning) => violated(meaning, &error),
                    None => by_message(information.message()),
                },
            },
            DieselError::BrokenTransactionManager => Self::Lost("it was broken already".to_owned()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

fn meaning(constraint: &str) -> Option<&'static Meaning> {
    CONSTRAINTS.iter().find(|(name, _)| *name == constraint).map(|(_, meaning)| meaning)
}

/// What somebody is told who wants what this unique constraint keeps for another.
pub(crate) fn taken(constraint: &str) -> StoreError {
    match meaning(constraint) {
        Some(Meaning::Taken { code, detail }) => StoreError::Conflict { code, detail: (*detail).to_owned() },
        _ => StoreError::Internal(format!("{constraint} keeps nothing for anybody")),
    }
}

fn violated(meaning: &Meaning, error: &DieselError) -> StoreError {
    match meaning {
        Meaning::Unknown { pointer, what } => unknown_reference(pointer, what),
        Meaning::NotAllowed { pointer, detail } => StoreError::field(pointer, "not_allowed", *detail),
        Meaning::Taken { code, detail } => StoreError::Conflict { code, detail: (*detail).to_owned() },
        Meaning::Ours => StoreError::Internal(error.to_string()),
    }
}

/// What went wrong with deleting a record: where others still refer to it, it is in use.
pub(crate) fn in_use(error: DieselError, detail: &str) -> StoreError {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            StoreError::Conflict { code: "in_use", detail: detail.to_owned() }
        }
        other => other.into(),
    }
}

/// The record that a field names is not there, or not for this caller.
pub(crate) fn unknown_reference(pointer: &str, what: &str) -> StoreError {
    StoreError::field(pointer, "unknown_reference", format!("There is no {what} with this id. Name another, or null."))
}

/// diesel keeps the SQLSTATE of most errors to itself; their messages are stable within the supported releases.
fn by_message(message: &str) -> StoreError {
    match message {
        "deadlock detected" => StoreError::Contention,
        "canceling statement due to lock timeout" => StoreError::Contention,
        "out of shared memory" => StoreError::Busy,
        "canceling statement due to statement timeout" => StoreError::TooSlow,
        _ if message.contains("server closed the connection")
            || message.contains("terminating connection")
            || message.contains("no connection to the server")
            || message.contains("the database system is") =>
        {
            StoreError::Lost(message.to_owned())
        }
        _ => StoreError::Internal(message.to_owned()),
    }
}
