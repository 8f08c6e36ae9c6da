//! Nobody gets more than their roles say, by any operation.
//!
//! A workspace holds a record of each resource in each place that matters for rights: the caller's own, of their team, of
//! a team below, of another team, shared in several ways, and of another workspace. The caller gets one role after the
//! other, and calls every operation on every record. What has to come is told by an oracle that reads the table of
//! permissions naively, and nothing that the caller may not see may stand in any answer: each field of each record holds
//! a word of its own.

mod oracle;
mod world;

use std::thread;

use serde_json::{Value, json};

use self::{
    oracle::{Mask, Place, Rule},
    world::World,
};
use super::samples;
use crate::harness::{Answer, Caller, contract::operations, events};

/// What an operation is about, which says what has to come of it. A new operation needs a row here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    /// Shows nothing of records: public, about the caller alone, or behind a permission that the role lacks.
    Apart,
    Behind(&'static str),
    /// Settings, for whoever may read any records of a resource.
    ForReadersOf(&'static str),
    List(&'static str),
    Search(&'static str),
    Explain,
    Changes,
    StreamOfChanges,
    Create(&'static str),
    Get(&'static str),
    GetByExternalId(&'static str),
    Update(&'static str),
    Delete(&'static str),
    Restore(&'static str),
    History(&'static str),
    Duplicates,
    DuplicatesOfLead,
    StatusHistory,
    Move,
    Recycle,
    Convert,
    Unconvert,
    Assign,
    Upsert(&'static str),
    /// Done at an address below that of the record; the last word is the way back.
    Act(&'static str, &'static str, &'static str),
    MyTasks,
    /// A list below the address of a record, which tells of these fields.
    Told(&'static str, &'static str, &'static [&'static str]),
    Batch(&'static str),
    ReportPipeline,
    /// A report that counts opportunities, and tells of these fields.
    Report(&'static str, &'static [&'static str]),
    ScoreQuality,
    ListShares,
    CreateShare,
    GetShare,
    DeleteShare,
}

const FORECAST: &[&str] = &[
    "stage_id",
    "stage_class",
    "stage_entered_at",
    "amount",
    "currency",
    "probability",
    "forecast_category",
    "close_date",
    "closed_at",
];

const WIN_RATE: &[&str] = &["stage_class", "closed_at", "amount", "currency", "owner_id"];
const FUNNEL: &[&str] =
    &["pipeline_id", "stage_id", "stage_class", "stage_entered_at", "closed_at", "amount", "currency"];
const ACTIVITY: &[&str] =
    &["stage_id", "stage_class", "stage_entered_at", "closed_at", "amount", "currency", "updated_by"];

const TABLE: &[(&str, Row)] = &[
    ("get_liveness", Row::Apart),
    ("get_readiness", Row::Apart),
    ("get_problem", Row::Apart),
    ("login", Row::Apart),
    ("refresh_session", Row::Apart),
    ("logout", Row::Apart),
    ("logout_everywhere", Row::Apart),
    ("issue_token", Row::Apart),
    ("list_token_keys", Row::Apart),
    // One's own sessions, and with users:write those of others: see tests/it/workspace/refresh.rs.
    ("list_sessions", Row::Apart),
    ("get_session", Row::Apart),
    ("delete_session", Row::Apart),
    ("get_me", Row::Apart),
    ("request_password_reset", Row::Apart),
    ("confirm_password_reset", Row::Apart),
    ("change_password", Row::Apart),
    ("accept_invite", Row::Apart),
    ("invite_user", Row::Behind("users:write")),
    // Views hold no records: see tests/it/workspace/views.rs.
    ("list_views", Row::Apart),
    ("create_view", Row::Apart),
    ("get_view", Row::Apart),
    ("update_view", Row::Apart),
    ("delete_view", Row::Apart),
    ("list_view_history", Row::Apart),
    ("list_connections", Row::Behind("connections:read")),
    ("create_connection", Row::Behind("connections:write")),
    ("get_connection", Row::Behind("connections:read")),
    ("update_connection", Row::Behind("connections:write")),
    ("delete_connection", Row::Behind("connections:write")),
    ("list_connection_history", Row::Behind("connections:read")),
    // A webhook tells of no more than its maker may read: see tests/it/commerce/webhooks.rs.
    ("list_webhooks", Row::Behind("webhooks:read")),
    ("create_webhook", Row::Behind("webhooks:write")),
    ("get_webhook", Row::Behind("webhooks:read")),
    ("update_webhook", Row::Behind("webhooks:write")),
    ("delete_webhook", Row::Behind("webhooks:write")),
    ("rotate_webhook", Row::Behind("webhooks:write")),
    ("test_webhook", Row::Behind("webhooks:write")),
    ("replay_webhook", Row::Behind("webhooks:write")),
    ("get_webhook_status", Row::Behind("webhooks:read")),
    ("list_webhook_deliveries", Row::Behind("webhooks:read")),
    ("list_webhook_history", Row::Behind("webhooks:read")),
    // Settings hold no records, and everybody may read them.
    ("list_lead_statuses", Row::Apart),
    ("create_lead_status", Row::Behind("sales_settings:write")),
    ("get_lead_status", Row::Apart),
    ("update_lead_status", Row::Behind("sales_settings:write")),
    ("delete_lead_status", Row::Behind("sales_settings:write")),
    ("list_lead_status_history", Row::Apart),
    // A rule tells of leads only what its filter says, to whoever reads leads.
    ("list_assignment_rules", Row::ForReadersOf("leads")),
    ("create_assignment_rule", Row::Behind("sales_settings:write")),
    ("get_assignment_rule", Row::ForReadersOf("leads")),
    ("update_assignment_rule", Row::Behind("sales_settings:write")),
    ("delete_assignment_rule", Row::Behind("sales_settings:write")),
    ("list_assignment_rule_history", Row::ForReadersOf("leads")),
    ("list_capture_forms", Row::ForReadersOf("leads")),
    ("create_capture_form", Row::Behind("sales_settings:write")),
    ("get_capture_form", Row::ForReadersOf("leads")),
    ("update_capture_form", Row::Behind("sales_settings:write")),
    ("delete_capture_form", Row::Behind("sales_settings:write")),
    ("rotate_capture_form", Row::Behind("sales_settings:write")),
    ("list_capture_form_history", Row::ForReadersOf("leads")),
    // What was sent tells of leads: see tests/it/sales/capture_forms.rs.
    ("list_capture_form_submissions", Row::ForReadersOf("leads")),
    ("list_lead_submissions", Row::Told("leads", "submissions", &[])),
    ("get_public_capture_form", Row::Apart),
    ("submit_capture_form", Row::Apart),
    ("list_lost_reasons", Row::Apart),
    ("create_lost_reason", Row::Behind("sales_settings:write")),
    ("get_lost_reason", Row::Apart),
    ("update_lost_reason", Row::Behind("sales_settings:write")),
    ("delete_lost_reason", Row::Behind("sales_settings:write")),
    ("list_lost_reason_history", Row::Apart),
    ("list_exchange_rates", Row::Apart),
    ("create_exchange_rate", Row::Behind("sales_settings:write")),
    ("load_exchange_rates", Row::Behind("sales_settings:write")),
    ("get_exchange_rate", Row::Apart),
    ("list_api_keys", Row::Behind("api_keys:read")),
    ("create_api_key", Row::Behind("api_keys:write")),
    ("get_api_key", Row::Behind("api_keys:read")),
    ("update_api_key", Row::Behind("api_keys:write")),
    ("delete_api_key", Row::Behind("api_keys:write")),
    ("rotate_api_key", Row::Behind("api_keys:write")),
    ("list_api_key_history", Row::Behind("api_keys:read")),
    ("list_contacts", Row::List("contacts")),
    ("search_contacts", Row::Search("contacts")),
    ("create_contact", Row::Create("contacts")),
    ("get_contact", Row::Get("contacts")),
    ("get_contact_by_external_id", Row::GetByExternalId("contacts")),
    ("update_contact", Row::Update("contacts")),
    ("delete_contact", Row::Delete("contacts")),
    ("restore_contact", Row::Restore("contacts")),
    ("upsert_contact", Row::Upsert("contacts")),
    ("batch_contacts", Row::Batch("contacts")),
    ("list_contact_history", Row::History("contacts")),
    ("list_contact_duplicates", Row::Duplicates),
    ("list_companies", Row::List("companies")),
    ("search_companies", Row::Search("companies")),
    ("create_company", Row::Create("companies")),
    ("get_company", Row::Get("companies")),
    ("get_company_by_external_id", Row::GetByExternalId("companies")),
    ("update_company", Row::Update("companies")),
    ("delete_company", Row::Delete("companies")),
    ("restore_company", Row::Restore("companies")),
    ("upsert_company", Row::Upsert("companies")),
    ("batch_companies", Row::Batch("companies")),
    ("list_company_history", Row::History("companies")),
    ("list_tasks", Row::List("tasks")),
    ("search_tasks", Row::Search("tasks")),
    ("create_task", Row::Create("tasks")),
    ("get_task", Row::Get("tasks")),
    ("get_task_by_external_id", Row::GetByExternalId("tasks")),
    ("update_task", Row::Update("tasks")),
    ("delete_task", Row::Delete("tasks")),
    ("restore_task", Row::Restore("tasks")),
    ("upsert_task", Row::Upsert("tasks")),
    ("batch_tasks", Row::Batch("tasks")),
    ("list_task_history", Row::History("tasks")),
    ("complete_task", Row::Act("tasks", "complete", "reopen")),
    ("cancel_task", Row::Act("tasks", "cancel", "reopen")),
    ("reopen_task", Row::Act("tasks", "reopen", "reopen")),
    ("list_my_tasks", Row::MyTasks),
    ("list_notes", Row::List("notes")),
    ("search_notes", Row::Search("notes")),
    ("create_note", Row::Create("notes")),
    ("get_note", Row::Get("notes")),
    ("get_note_by_external_id", Row::GetByExternalId("notes")),
    ("update_note", Row::Update("notes")),
    ("delete_note", Row::Delete("notes")),
    ("restore_note", Row::Restore("notes")),
    ("upsert_note", Row::Upsert("notes")),
    ("batch_notes", Row::Batch("notes")),
    ("list_note_history", Row::History("notes")),
    ("report_pipeline", Row::ReportPipeline),
    // The same as a table.
    ("report_pipeline_as_csv", Row::ReportPipeline),
    ("report_forecast", Row::Report("forecast", FORECAST)),
    ("report_forecast_as_csv", Row::Report("forecast.csv", FORECAST)),
    ("report_win_rate", Row::Report("win_rate", WIN_RATE)),
    ("report_win_rate_as_csv", Row::Report("win_rate.csv", WIN_RATE)),
    ("report_funnel", Row::Report("funnel", FUNNEL)),
    ("report_funnel_as_csv", Row::Report("funnel.csv", FUNNEL)),
    ("report_activity", Row::Report("activity", ACTIVITY)),
    ("report_activity_as_csv", Row::Report("activity.csv", ACTIVITY)),
    ("list_opportunities", Row::List("opportunities")),
    ("search_opportunities", Row::Search("opportunities")),
    ("create_opportunity", Row::Create("opportunities")),
    ("get_opportunity", Row::Get("opportunities")),
    ("get_opportunity_by_external_id", Row::GetByExternalId("opportunities")),
    ("update_opportunity", Row::Update("opportunities")),
    ("delete_opportunity", Row::Delete("opportunities")),
    ("restore_opportunity", Row::Restore("opportunities")),
    ("upsert_opportunity", Row::Upsert("opportunities")),
    ("batch_opportunities", Row::Batch("opportunities")),
    ("list_opportunity_history", Row::History("opportunities")),
    ("move_opportunity", Row::Act("opportunities", "move", "reopen")),
    ("win_opportunity", Row::Act("opportunities", "win", "reopen")),
    ("lose_opportunity", Row::Act("opportunities", "lose", "reopen")),
    ("reopen_opportunity", Row::Act("opportunities", "reopen", "reopen")),
    ("list_opportunity_stage_history", Row::Told("opportunities", "stage_history", &["stage_id"])),
    ("list_opportunity_close_date_history", Row::Told("opportunities", "close_date_history", &["close_date"])),
    ("list_score_definitions", Row::Apart),
    ("create_score_definition", Row::Behind("sales_settings:write")),
    ("get_score_definition", Row::Apart),
    ("update_score_definition", Row::Behind("sales_settings:write")),
    ("delete_score_definition", Row::Behind("sales_settings:write")),
    ("publish_score_definition", Row::Behind("sales_settings:write")),
    ("archive_score_definition", Row::Behind("sales_settings:write")),
    ("list_score_definition_history", Row::Apart),
    ("list_score_definition_versions", Row::Apart),
    ("get_score_definition_quality", Row::ScoreQuality),
    ("get_lead_score", Row::Told("leads", "score", &["score"])),
    ("list_lead_score_changes", Row::Told("leads", "score_history", &["score"])),
    ("list_pipelines", Row::Apart),
    ("create_pipeline", Row::Behind("sales_settings:write")),
    ("get_pipeline", Row::Apart),
    ("update_pipeline", Row::Behind("sales_settings:write")),
    ("delete_pipeline", Row::Behind("sales_settings:write")),
    ("list_pipeline_history", Row::Apart),
    ("transfer_stage", Row::Behind("sales_settings:write")),
    ("list_leads", Row::List("leads")),
    ("search_leads", Row::Search("leads")),
    ("create_lead", Row::Create("leads")),
    ("get_lead", Row::Get("leads")),
    ("get_lead_by_external_id", Row::GetByExternalId("leads")),
    ("update_lead", Row::Update("leads")),
    ("move_lead", Row::Move),
    ("recycle_lead", Row::Recycle),
    ("convert_lead", Row::Convert),
    ("unconvert_lead", Row::Unconvert),
    ("assign_lead", Row::Assign),
    ("delete_lead", Row::Delete("leads")),
    ("restore_lead", Row::Restore("leads")),
    ("upsert_lead", Row::Upsert("leads")),
    ("batch_leads", Row::Batch("leads")),
    ("list_lead_history", Row::History("leads")),
    ("list_lead_status_changes", Row::StatusHistory),
    ("list_lead_duplicates", Row::DuplicatesOfLead),
    ("list_products", Row::List("products")),
    ("search_products", Row::Search("products")),
    ("create_product", Row::Create("products")),
    ("get_product", Row::Get("products")),
    ("get_product_by_external_id", Row::GetByExternalId("products")),
    ("update_product", Row::Update("products")),
    ("delete_product", Row::Delete("products")),
    ("restore_product", Row::Restore("products")),
    ("upsert_product", Row::Upsert("products")),
    ("batch_products", Row::Batch("products")),
    ("list_product_history", Row::History("products")),
    // One's own feeds, and what they show: see tests/it/activity/calendar_feeds.rs.
    ("list_calendar_feeds", Row::Apart),
    ("create_calendar_feed", Row::Apart),
    ("get_calendar_feed", Row::Apart),
    ("delete_calendar_feed", Row::Apart),
    ("get_calendar", Row::Apart),
    ("explain_filter", Row::Explain),
    ("list_changes", Row::Changes),
    ("stream_changes", Row::StreamOfChanges),
    ("list_shares", Row::ListShares),
    ("create_share", Row::CreateShare),
    ("get_share", Row::GetShare),
    ("delete_share", Row::DeleteShare),
    ("list_users", Row::Behind("users:read")),
    ("create_user", Row::Behind("users:write")),
    ("get_user", Row::Behind("users:read")),
    ("update_user", Row::Behind("users:write")),
    ("activate_user", Row::Behind("users:write")),
    ("deactivate_user", Row::Behind("users:write")),
    ("transfer_user", Row::Behind("users:write")),
    ("list_user_history", Row::Behind("users:read")),
    ("list_teams", Row::Behind("teams:read")),
    ("create_team", Row::Behind("teams:write")),
    ("get_team", Row::Behind("teams:read")),
    ("update_team", Row::Behind("teams:write")),
    ("delete_team", Row::Behind("teams:write")),
    ("list_team_history", Row::Behind("teams:read")),
    ("list_roles", Row::Behind("roles:read")),
    ("create_role", Row::Behind("roles:write")),
    ("get_role", Row::Behind("roles:read")),
    ("update_role", Row::Behind("roles:write")),
    ("delete_role", Row::Behind("roles:write")),
    ("list_role_history", Row::Behind("roles:read")),
    ("list_custom_fields", Row::Behind("custom_fields:read")),
    ("create_custom_field", Row::Behind("custom_fields:write")),
    ("get_custom_field", Row::Behind("custom_fields:read")),
    ("update_custom_field", Row::Behind("custom_fields:write")),
    ("archive_custom_field", Row::Behind("custom_fields:write")),
    ("restore_custom_field", Row::Behind("custom_fields:write")),
    ("list_custom_field_history", Row::Behind("custom_fields:read")),
    // What fields are called, and nothing of records.
    ("get_schema", Row::Apart),
    ("explain_access", Row::Behind("roles:read")),
    ("list_audit_entries", Row::Behind("audit:read")),
];

#[test]
fn every_operation_stands_in_the_table() {
    for operation in operations() {
        let rows = TABLE.iter().filter(|(id, _)| *id == operation.id()).count();
        assert_eq!(rows, 1, "{} needs one row in the table of the leak test", operation.id());
    }
    for (id, row) in TABLE {
        let operation = operations().into_iter().find(|operation| operation.id() == *id);
        let operation = operation.unwrap_or_else(|| panic!("{id} is not in the document any more"));
        if let Row::Behind(scope) = row {
            assert_eq!(operation.scope(), Some(*scope), "{id}");
        }
    }
}

#[test]
fn nobody_gets_more_than_their_role_says() {
    // Every third pair: each rule meets masks, each mask rules, and what contacts don't meet other resources do.
    let pairs = oracle::RULES
        .iter()
        .enumerate()
        .flat_map(|(index, rule)| oracle::MASKS.iter().skip(index % 3).step_by(3).map(|mask| (*rule, *mask)));
    let rules: Vec<(Rule, Mask)> = pairs.collect();
    let share = rules.len().div_ceil(4);
    thread::scope(|scope| {
        for part in rules.chunks(share) {
            scope.spawn(move || {
                let mut world = World::new();
                for (index, (rule, mask)) in part.iter().enumerate() {
                    // Each resource has another rule, so that one does not stand in for the other.
                    let other = |number: usize| oracle::RULES[(index * 5 + number * 2 + 2) % oracle::RULES.len()];
                    let each = world::RESOURCES.iter().enumerate();
                    let rules: Vec<(&'static str, Rule)> =
                        each.map(|(number, of)| (*of, if *of == "contacts" { *rule } else { other(number) })).collect();
                    world.give_role(&rules, *mask);
                    world.sign_in();
                    Case { world: &world, rules, mask: *mask }.check();
                }
            });
        }
    });
}

/// One role, and what has to come of every operation with it.
struct Case<'w> {
    world: &'w World,
    rules: Vec<(&'static str, Rule)>,
    mask: Mask,
}

impl Case<'_> {
    fn check(&self) {
        let operations = operations();
        for (id, row) in TABLE {
            let operation = operations.iter().find(|operation| operation.id() == *id).unwrap();
            match *row {
                Row::Apart => {}
                Row::Behind(_) => {
                    let answer = self.world.call(operation, &self.world.nobody, None);
                    self.expect(id, None, &answer, 403);
                }
                Row::ForReadersOf(resource) => {
                    let answer = self.world.call(operation, &self.world.nobody, None);
                    let status = match self.rule(resource).sees_none() {
                        true => 403,
                        false if operation.has_id() => 404,
                        false => 200,
                    };
                    self.expect(id, None, &answer, status);
                }
                Row::List(resource) => self.list(resource),
                Row::Search(resource) => self.search_by_filter(resource),
                Row::Explain => self.explain_filters(),
                Row::Create(resource) => self.create(resource),
                Row::Upsert(resource) => self.upsert(resource),
                Row::Batch(resource) => self.batch(resource),
                Row::MyTasks => self.my_tasks(),
                Row::ReportPipeline => self.report_pipeline(),
                Row::Report(report, fields) => self.report(report, fields),
                Row::ScoreQuality => self.score_quality(),
                Row::Changes => self.changes(),
                Row::StreamOfChanges => self.stream_of_changes(),
                Row::ListShares => self.list_shares(),
                Row::CreateShare => self.create_shares(),
                row => Place::ALL.iter().for_each(|place| self.one(id, row, *place)),
            }
        }
        self.explanations();
    }

    /// Whether the caller may write what a record can't do without.
    fn writes_needed(&self, resource: &str) -> bool {
        needed(resource).iter().all(|field| self.mask.writes(resource, field))
    }

    /// A new record with what it needs alone, all of it this word.
    fn new_of(&self, resource: &str, word: &str) -> Value {
        let value = |field: &str| if field == "parent" { self.parent() } else { json!(word) };
        let fields = needed(resource).iter().map(|field| ((*field).to_owned(), value(field)));
        fields.collect::<serde_json::Map<_, _>>().into()
    }

    /// A record that a note may be about, since the caller sees it.
    fn parent(&self) -> Value {
        let kinds = [("companies", "company"), ("contacts", "contact"), ("opportunities", "opportunity")];
        let seen = kinds.iter().find_map(|(resource, kind)| {
            let place = Place::ALL.iter().find(|place| self.rule(resource).sees(**place))?;
            Some(json!({"kind": kind, "id": self.world.id(resource, *place)}))
        });
        seen.expect("each rule sees some of these")
    }

    fn rule(&self, resource: &str) -> Rule {
        let rule = self.rules.iter().find(|(of, _)| *of == resource).unwrap_or_else(|| panic!("{resource}")).1;
        let counts_involved = ["tasks", "notes"].contains(&resource);
        Rule { counts_assignees: resource == "tasks", counts_involved, ..rule }
    }

    /// Fails unless the status is this one and nothing in the answer is closed to the caller.
    #[track_caller]
    fn expect(&self, what: &str, place: Option<Place>, answer: &Answer, status: u16) {
        let about = format!("{what} of {place:?} with {:?}, {:?}", self.rules, self.mask);
        assert_eq!(answer.status, status, "{about}: {}", answer.text);
        self.no_leak(&about, answer);
    }

    /// No word of a record that the caller may not see, and of no field that is closed to them.
    #[track_caller]
    fn no_leak(&self, about: &str, answer: &Answer) {
        self.no_closed_word(about, &answer.text);
        for id in named(&answer.text).into_iter().filter(|_| answer.status < 300) {
            let Some(record) = self.world.records.iter().find(|record| record.id == id) else { continue };
            let is_seen = self.rule(record.resource).sees(record.place);
            assert!(is_seen, "{about} tells of {:?}: {}", record.place, answer.text);
        }
    }

    #[track_caller]
    fn no_closed_word(&self, about: &str, text: &str) {
        for word in self.world.words_in(text) {
            let rule = self.rule(word.resource);
            let is_open = rule.sees(word.place) && self.mask.shows(word.resource, word.field);
            assert!(is_open, "{about} tells {} of {:?}: {text}", word.field, word.place);
        }
    }

    fn list(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let own_order = if resource == "notes" { "?sort=-pinned" } else { "?sort=name" };
        for query in ["", "?sort=created_at", "?sort=-updated_at", own_order, "?count=exact&limit=1"] {
            let is_closed = match query {
                "?sort=name" => !self.mask.names(resource),
                "?sort=-pinned" => !self.mask.shows(resource, "pinned"),
                _ => false,
            };
            let answer = self.world.caller.get(&format!("/v1/{resource}{query}"));
            let status = if rule.sees_none() || is_closed { 403 } else { 200 };
            self.expect(&format!("list {resource}{query}"), None, &answer, status);
            if status == 200 {
                self.is_complete(resource, query, &answer);
            }
        }
        for word in self.world.words.iter().filter(|word| word.resource == resource) {
            self.search(word);
        }
        self.closed_parameters(resource);
    }

    /// A list holds all that the caller may see, and nothing else.
    fn is_complete(&self, resource: &'static str, query: &str, answer: &Answer) {
        let rule = self.rule(resource);
        let seen = || self.world.records.iter().filter(|record| record.resource == resource && rule.sees(record.place));
        if query.contains("count") {
            assert_eq!(answer.body["total"]["value"], json!(seen().count()), "{rule:?} {resource}");
            return;
        }
        let mut listed: Vec<&str> =
            answer.body["data"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = seen().map(|record| record.id.as_str()).collect();
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{rule:?} {resource}{query}");
        for record in answer.body["data"].as_array().unwrap() {
            self.has_open_fields_alone(resource, record);
        }
    }

    fn has_open_fields_alone(&self, resource: &str, record: &Value) {
        for field in record.as_object().unwrap().keys() {
            assert!(self.mask.shows(resource, field), "{field} is shown with {:?}: {record}", self.mask);
        }
        for field in self.mask.open_among(resource) {
            assert!(record.get(field).is_some(), "{field} is missing with {:?}: {record}", self.mask);
        }
    }

    /// A word is found by who may see it, and by nobody else.
    fn search(&self, word: &world::Word) {
        let rule = self.rule(word.resource);
        let answer = self.world.caller.get(&format!("/v1/{}?q={}", word.resource, word.text));
        let status = if rule.sees_none() || !self.mask.searches(word.resource) { 403 } else { 200 };
        let about = format!("search for {} in {}", word.field, word.resource);
        assert_eq!(answer.status, status, "{about} with {rule:?}, {:?}: {}", self.mask, answer.text);
        let found = answer.text.contains(&self.world.id(word.resource, word.place));
        let is_open = rule.sees(word.place) && self.mask.shows(word.resource, word.field);
        let is_searched = word.is_searched(self.mask);
        assert!(!found || is_open, "{about} of {:?} with {rule:?}, {:?}: {}", word.place, self.mask, answer.text);
        if status == 200 && is_open && is_searched {
            assert!(found, "{about} of {:?} with {rule:?}, {:?}: {}", word.place, self.mask, answer.text);
        }
    }

    /// A filter finds what a list shows, and tells of closed fields and of records out of sight in no way.
    fn search_by_filter(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let path = format!("/v1/{resource}/search");
        for body in [json!({}), json!({"sort": "created_at", "limit": 200})] {
            let answer = self.world.caller.post(&path, &body);
            self.expect(&format!("search {resource}"), None, &answer, if rule.sees_none() { 403 } else { 200 });
            if answer.status == 200 {
                self.is_complete(resource, "", &answer);
            }
        }
        for word in self.world.words.iter().filter(|word| word.resource == resource) {
            let body = json!({"filter": {"version": 1, "entity": entity(resource), "where": node(word)}});
            let answer = self.world.caller.post(&path, &body);
            let may = !rule.sees_none() && self.mask.shows(resource, word.field);
            let about = format!("search {resource} by {}", word.field);
            self.expect_of_word(&about, word, &answer, may);
        }
        if resource == "contacts" {
            self.search_through_companies();
        }
    }

    fn expect_of_word(&self, about: &str, word: &world::Word, answer: &Answer, may: bool) {
        let rule = self.rule(word.resource);
        let about = format!("{about} of {:?} with {rule:?}, {:?}", word.place, self.mask);
        assert_eq!(answer.status, if may { 200 } else { 403 }, "{about}: {}", answer.text);
        let found = answer.text.contains(&self.world.id(word.resource, word.place));
        assert_eq!(found, may && rule.sees(word.place), "{about}: {}", answer.text);
    }

    /// A company that the caller can't see lets nobody be found who works there.
    fn search_through_companies(&self) {
        let may = !self.rule("contacts").sees_none()
            && !self.rule("companies").sees_none()
            && self.mask.shows("contacts", "company_id")
            && self.mask.shows("companies", "name");
        for place in Place::ALL.iter().filter(|place| place.is_here()) {
            let company = world::company_of(*place);
            let name = json!({"type": "text", "field": "name", "op": "eq", "value": self.world.word("companies", company, "name")});
            let related =
                json!({"type": "related", "relation": "company", "count": {"op": "at_least", "n": 1}, "where": name});
            let body = json!({"filter": {"version": 1, "entity": "contact", "where": related}});
            let answer = self.world.caller.post("/v1/contacts/search", &body);
            let about = format!(
                "search contacts by company of {place:?} with {:?}, {:?}",
                self.rule("contacts"),
                self.rule("companies")
            );
            assert_eq!(answer.status, if may { 200 } else { 403 }, "{about}, {:?}: {}", self.mask, answer.text);
            let found = answer.text.contains(&self.world.id("contacts", *place));
            assert_eq!(
                found,
                may && self.rule("contacts").sees(*place) && self.rule("companies").sees(company),
                "{about}"
            );
        }
    }

    /// What may not be read is named as closed, and has no plan.
    fn explain_filters(&self) {
        for word in self.world.words.iter().filter(|word| word.place == Place::Own) {
            let body = json!({"filter": {"version": 1, "entity": entity(word.resource), "where": node(word)}});
            let answer = self.world.caller.post("/v1/filters/explain", &body);
            let status = if self.rule(word.resource).sees_none() { 403 } else { 200 };
            assert_eq!(answer.status, status, "{}", answer.text);
            if status == 200 {
                let is_open = self.mask.shows(word.resource, word.field);
                assert_eq!(answer.body["valid"], is_open, "{} with {:?}: {}", word.field, self.mask, answer.text);
                assert_eq!(answer.body["plan"].is_object(), is_open);
            }
        }
    }

    /// Parameters that tell of closed fields are refused.
    fn closed_parameters(&self, resource: &'static str) {
        let of_parties = [("tag=x", "tags"), ("country=DE", "addresses"), ("email=a@example.com", "emails")];
        let parameters = match resource {
            "contacts" | "companies" | "leads" => of_parties.as_slice(),
            "notes" => &[("tag=x", "tags"), ("pinned=true", "pinned"), ("internal=true", "internal")],
            "products" => {
                &[("tag=x", "tags"), ("code=x", "code"), ("category=x", "category"), ("active=true", "active")]
            }
            _ => &of_parties[..1],
        };
        for (parameter, field) in parameters {
            let answer = self.world.caller.get(&format!("/v1/{resource}?{parameter}"));
            let is_open = !self.rule(resource).sees_none() && self.mask.shows(resource, field);
            self.expect(&format!("list {resource}?{parameter}"), None, &answer, if is_open { 200 } else { 403 });
        }
    }

    fn create(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let path = format!("/v1/{resource}");
        let may = rule.create && self.writes_needed(resource);
        let answer = self.world.caller.post(&path, &self.new_of(resource, &unique));
        self.expect(&format!("create in {resource}"), None, &answer, if may { 201 } else { 403 });
        self.world.forget(resource, &answer);
        let closed = self.mask.closed_to_write(resource);
        if rule.create && may {
            let mut body = self.new_of(resource, &unique);
            body[closed] = closed_value(closed);
            let answer = self.world.caller.post(&path, &body);
            let is_open = self.mask.writes(resource, closed);
            assert_eq!(answer.status == 403, !is_open, "{closed} with {:?}: {}", self.mask, answer.text);
            self.world.forget(resource, &answer);
        }
        if resource == "contacts" && may {
            self.create_with_known_address("contacts", "contacts");
            self.create_at_companies();
        }
        if resource == "leads" && may {
            self.create_with_known_address("leads", "contacts");
            self.create_with_known_address("leads", "leads");
        }
    }

    /// Every record of the workspace has its own id as external id.
    fn upsert(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let is_closed = rule.writes_any() && !self.mask.writes(resource, "tags");
        for place in Place::ALL.iter().filter(|place| place.is_here()) {
            let id = self.world.id(resource, *place);
            let before = self.world.admin.get(&format!("/v1/{resource}/{id}")).body;
            let path = format!("/v1/{resource}/by-external-id/import/{id}");
            let answer = self.world.caller.put(&path, &json!({"tags": ["changed"]}));
            let status = if rule.changes(*place) && !is_closed { 200 } else { 403 };
            self.expect(&format!("upsert in {resource}"), Some(*place), &answer, status);
            if status == 200 {
                self.has_open_fields_alone(resource, &answer.body["record"]);
                self.world.put_back(resource, *place, "tags", &before["tags"]);
            }
        }
        self.link(resource);
        let path = format!("/v1/{resource}/by-external-id/import/{}", uuid::Uuid::now_v7());
        let answer = self.world.caller.put(&path, &self.new_of(resource, "New"));
        let may = rule.writes_any() && rule.create && self.writes_needed(resource);
        self.expect(&format!("upsert a new one in {resource}"), None, &answer, if may { 201 } else { 403 });
        if may {
            let id = answer.body["record"]["id"].as_str().unwrap();
            self.world.admin.delete(&format!("/v1/{resource}/{id}")).expect(204);
        }
    }

    /// To say which record an external id is, one has to be able to change that record, and else learns nothing of it. Alone, and of
    /// all places in a batch.
    fn link(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let is_closed = !rule.writes_any() || !self.mask.writes(resource, "external_ids");
        let taken = self.world.id(resource, Place::Other);
        let (mut operations, mut expected) = (Vec::new(), Vec::new());
        for (index, place) in Place::ALL.iter().enumerate() {
            let id = self.world.id(resource, *place);
            let status = if is_closed { 403 } else { rule.to_write(*place) };
            let path = format!("/v1/{resource}/by-external-id/import/new?record_id={id}&dry_run=true");
            self.expect(
                &format!("link in {resource}"),
                Some(*place),
                &self.world.caller.put(&path, &json!({})),
                status,
            );
            let of_taken = if status == 200 && *place != Place::Other { 409 } else { status };
            for (external_id, status) in [(format!("new {index}"), status), (taken.clone(), of_taken)] {
                operations.push(json!({
                    "op": "upsert", "connection": "import", "external_id": external_id, "record_id": id, "data": {},
                }));
                expected.push(status);
            }
        }
        let path = format!("/v1/{resource}/batch?dry_run=true");
        let answer = self.world.caller.post(&path, &json!({"operations": operations}));
        self.expect(&format!("links in {resource}"), None, &answer, 207);
        let results = answer.body["results"].as_array().unwrap();
        let told: Vec<u16> = results.iter().map(|result| result["status"].as_u64().unwrap() as u16).collect();
        assert_eq!(told, expected, "links in {resource} with {:?}, {:?}: {}", self.rules, self.mask, answer.text);
    }

    /// One batch with an operation of each kind for each place: each is answered as it would be alone.
    fn batch(&self, resource: &'static str) {
        let rule = self.rule(resource);
        let is_closed = |field| !self.mask.writes(resource, field);
        let mut operations = vec![json!({"op": "create", "data": self.new_of(resource, "New")})];
        let mut expected = vec![if rule.create && self.writes_needed(resource) { 201 } else { 403 }];
        let mut before = Vec::new();
        for place in Place::ALL {
            let id = self.world.id(resource, *place);
            before.push(self.world.admin.get(&format!("/v1/{resource}/{id}")).body);
            operations.push(json!({"op": "update", "id": id, "data": {"tags": ["changed"]}}));
            expected.push(if is_closed("tags") { 403 } else { rule.to_write(*place) });
            operations.push(json!({"op": "delete", "id": id}));
            expected.push(rule.to_delete(*place));
            if place.is_here() {
                // What was deleted a moment ago is found by its external id, which only who may change it is told.
                operations
                    .push(json!({"op": "upsert", "connection": "import", "external_id": id, "data": {"tags": []}}));
                let deleted = rule.to_delete(*place) == 204;
                let may = rule.changes(*place) && !is_closed("tags");
                expected.push(if !may {
                    403
                } else if deleted {
                    409
                } else {
                    200
                });
            }
        }
        let path = format!("/v1/{resource}/batch");
        let answer = self.world.caller.post(&path, &json!({"operations": operations}));
        self.expect(&format!("batch in {resource}"), None, &answer, 207);
        let results = answer.body["results"].as_array().unwrap();
        let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap() as u16).collect();
        assert_eq!(statuses, expected, "batch in {resource} with {rule:?}, {:?}: {}", self.mask, answer.text);
        if statuses[0] == 201 {
            let id = results[0]["id"].as_str().unwrap();
            self.world.admin.delete(&format!("/v1/{resource}/{id}")).expect(204);
        }
        for (place, before) in Place::ALL.iter().zip(before).filter(|(place, _)| place.is_here()) {
            let path = format!("/v1/{resource}/{}/restore", self.world.id(resource, *place));
            self.world.admin.send("POST", &path, &[], None).expect(200);
            self.world.put_back(resource, *place, "tags", &before["tags"]);
        }
    }

    /// What the caller is to do or helps with, whoever owns it.
    fn my_tasks(&self) {
        let (rule, path) = (self.rule("tasks"), "/v1/tasks/mine");
        let shows = |fields: &[&str]| fields.iter().all(|field| self.mask.shows("tasks", field));
        let may = !rule.sees_none() && shows(&["assignee_id", "status", "status_class", "due_at"]);
        for (query, places, may) in [
            ("", [Place::Own, Place::Assigned].as_slice(), may),
            ("?involved_as=collaborator", &[Place::Collaborating], may && shows(&["collaborator_ids"])),
            (
                "?involved_as=collaborator&involved_as=assignee",
                &[Place::Own, Place::Assigned, Place::Collaborating],
                may && shows(&["collaborator_ids"]),
            ),
        ] {
            let answer = self.world.caller.get(&format!("{path}{query}"));
            self.expect(&format!("list my tasks{query}"), None, &answer, if may { 200 } else { 403 });
            if may {
                let listed = answer.body["data"].as_array().unwrap();
                listed.iter().for_each(|task| self.has_open_fields_alone("tasks", task));
                let mut listed: Vec<String> =
                    listed.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect();
                let mut expected: Vec<String> = places.iter().map(|place| self.world.id("tasks", *place)).collect();
                listed.sort_unstable();
                expected.sort_unstable();
                assert_eq!(listed, expected, "{query} with {rule:?}");
            }
        }
    }

    /// That somebody else has an address is only told to who may see them.
    fn create_with_known_address(&self, resource: &'static str, known: &'static str) {
        if !self.mask.writes(resource, "emails") {
            return;
        }
        for place in Place::ALL {
            let address = format!("{}@example.com", self.world.word(known, *place, "emails"));
            let new = json!({"first_name": "Somebody", "emails": [{"address": address}]});
            let answer = self.world.caller.post(&format!("/v1/{resource}"), &new);
            let status = if self.rule(known).sees(*place) { 409 } else { 201 };
            let about = format!("create a duplicate of {place:?} with {:?}, {:?}", self.rule(known), self.mask);
            assert_eq!(answer.status, status, "{about}: {}", answer.text);
            self.world.forget(resource, &answer);
        }
    }

    /// A company that the caller can't see does not exist for them.
    fn create_at_companies(&self) {
        if !self.mask.writes("contacts", "company_id") {
            return;
        }
        for place in Place::ALL {
            let new = json!({"first_name": "Somebody", "company_id": self.world.id("companies", *place)});
            let answer = self.world.caller.post("/v1/contacts", &new);
            let status = if self.rule("companies").sees(*place) { 201 } else { 422 };
            self.expect("create at a company", Some(*place), &answer, status);
            self.world.forget("contacts", &answer);
        }
    }

    /// An operation on the record in one place.
    fn one(&self, id: &str, row: Row, place: Place) {
        let (resource, status) = match row {
            Row::Get(resource) | Row::History(resource) => (resource, self.rule(resource).to_read(place)),
            Row::Told(resource, _, fields) => {
                let is_open = fields.iter().all(|field| self.mask.shows(resource, field));
                let status = self.rule(resource).to_read(place);
                (resource, if status == 200 && !is_open { 403 } else { status })
            }
            Row::GetByExternalId(resource) => {
                let is_closed = !self.rule(resource).sees_none() && !self.mask.shows(resource, "external_ids");
                (resource, if is_closed { 403 } else { self.rule(resource).to_read(place) })
            }
            Row::Duplicates => ("contacts", self.rule("contacts").to_read(place)),
            Row::Act(resource @ "opportunities", ..) if !self.mask.writes(resource, "stage_id") => (resource, 403),
            Row::Act(resource @ "tasks", ..) if !self.mask.writes(resource, "status") => (resource, 403),
            Row::DuplicatesOfLead => ("leads", self.rule("leads").to_read(place)),
            Row::StatusHistory => return self.status_history(place),
            Row::Move | Row::Recycle => return self.change_status(row, place),
            Row::Convert | Row::Unconvert => return self.convert(row, place),
            Row::Assign => return self.assign(place),
            Row::Update(resource) | Row::Restore(resource) | Row::Act(resource, ..) => {
                (resource, self.rule(resource).to_write(place))
            }
            Row::Delete(resource) => (resource, self.rule(resource).to_delete(place)),
            Row::GetShare => return self.get_share(place),
            Row::DeleteShare => return self.delete_share(place),
            other => panic!("{other:?}"),
        };
        let record = self.world.id(resource, place);
        let path = format!("/v1/{resource}/{record}");
        let answer = match row {
            Row::Get(_) => self.world.caller.get(&path),
            Row::GetByExternalId(_) => self.world.caller.get(&format!("/v1/{resource}/by-external-id/import/{record}")),
            Row::History(_) => self.world.caller.get(&format!("{path}/history")),
            Row::Duplicates | Row::DuplicatesOfLead => self.world.caller.get(&format!("{path}/duplicates")),
            Row::Restore(_) => self.world.caller.send("POST", &format!("{path}/restore"), &[], None),
            Row::Delete(_) => self.world.caller.delete(&path),
            Row::Act(_, act, _) => self.act(id, &format!("{path}/{act}"), &self.world.caller),
            Row::Told(_, list, _) => self.world.caller.get(&format!("{path}/{list}")),
            _ => return self.update(id, resource, place, status),
        };
        self.expect(id, Some(place), &answer, status);
        match row {
            Row::Get(resource) if status == 200 => {
                self.has_open_fields_alone(resource, &answer.body);
                self.expand(resource, place);
            }
            Row::GetByExternalId(resource) if status == 200 => self.has_open_fields_alone(resource, &answer.body),
            Row::History(_) if status == 200 => self.have_open_fields_alone(answer.body["data"].as_array().unwrap()),
            Row::Act(resource, _, back) if status == 200 => {
                self.has_open_fields_alone(resource, &answer.body);
                self.act(
                    &id.replace(id.split('_').next().unwrap(), back),
                    &format!("{path}/{back}"),
                    &self.world.admin,
                )
                .expect(200);
            }
            Row::Delete(_) if status == 204 => {
                self.world.admin.send("POST", &format!("{path}/restore"), &[], None).expect(200);
            }
            _ => {}
        }
    }

    /// An action on a record, with the body that it needs.
    fn act(&self, id: &str, path: &str, caller: &Caller) -> Answer {
        let operation = operations().into_iter().find(|operation| operation.id() == id).unwrap();
        match operation.body() {
            Some(schema) => caller.post(path, &samples::body_with_records(schema, "act", &self.world.admin)),
            None => caller.send("POST", path, &[], None),
        }
    }

    fn update(&self, id: &str, resource: &'static str, place: Place, status: u16) {
        let path = format!("/v1/{resource}/{}", self.world.id(resource, place));
        for field in ["tags", self.mask.closed_to_write(resource)] {
            let before = self.world.admin.get(&path).body;
            let answer = self.world.caller.patch(&path, &json!({field: closed_value(field)}));
            let closed = self.rule(resource).writes_any() && !self.mask.writes(resource, field);
            self.expect(&format!("{id} ({field})"), Some(place), &answer, if closed { 403 } else { status });
            if answer.status == 200 {
                self.world.put_back(resource, place, field, &before[field]);
            } else if place.is_here() {
                assert_eq!(self.world.admin.get(&path).body, before, "{id} was refused and wrote all the same");
            }
        }
    }

    /// Whoever may see a lead and its status sees which ones it has had.
    fn status_history(&self, place: Place) {
        let path = format!("/v1/leads/{}/status_history", self.world.id("leads", place));
        let is_open = self.mask.shows("leads", "status") && self.mask.shows("leads", "status_class");
        let status = if is_open { self.rule("leads").to_read(place) } else { 403 };
        self.expect("list_lead_status_changes", Some(place), &self.world.caller.get(&path), status);
    }

    /// The world has no rules, so that every lead stays whose it is.
    fn assign(&self, place: Place) {
        let rule = self.rule("leads");
        let writes = ["owner_id", "team_id"].iter().all(|field| self.mask.writes("leads", field));
        let status = if rule.writes_any() && !writes { 403 } else { rule.to_write(place) };
        let path = format!("/v1/leads/{}/assign", self.world.id("leads", place));
        let answer = self.world.caller.send("POST", &path, &[], None);
        self.expect("assign_lead", Some(place), &answer, status);
        if status == 200 {
            self.has_open_fields_alone("leads", &answer.body["lead"]);
        }
    }

    /// Leads of the world have been contacted.
    fn change_status(&self, row: Row, place: Place) {
        let rule = self.rule("leads");
        let path = format!("/v1/leads/{}", self.world.id("leads", place));
        let is_closed = rule.writes_any() && !self.mask.writes("leads", "status");
        let status = if is_closed { 403 } else { rule.to_write(place) };
        if row == Row::Recycle {
            let answer = self.world.caller.send("POST", &format!("{path}/recycle"), &[], None);
            // Those that could be changed are not lost.
            self.expect("recycle_lead", Some(place), &answer, if status == 200 { 409 } else { status });
            return;
        }
        let answer = self.world.caller.post(&format!("{path}/move"), &json!({"status": "qualified"}));
        self.expect("move_lead", Some(place), &answer, status);
        if status == 200 {
            self.has_open_fields_alone("leads", &answer.body);
            self.world.admin.post(&format!("{path}/move"), &json!({"status": "contacted"})).expect(200);
        }
    }

    /// What becomes of a lead, rehearsed: it needs the rights to both.
    fn convert(&self, row: Row, place: Place) {
        let rule = self.rule("leads");
        let path = format!("/v1/leads/{}", self.world.id("leads", place));
        let is_closed = rule.writes_any() && !self.mask.writes("leads", "status");
        let status = if is_closed { 403 } else { rule.to_write(place) };
        if row == Row::Unconvert {
            let answer = self.world.caller.send("POST", &format!("{path}/unconvert"), &[], None);
            // Those that could be changed are not converted.
            self.expect("unconvert_lead", Some(place), &answer, if status == 200 { 409 } else { status });
            return;
        }
        let new = json!({"contact": {"mode": "new"}, "company": {"mode": "none"}});
        let answer = self.world.caller.post(&format!("{path}/convert?dry_run=true"), &new);
        let may_create = self.rule("contacts").create;
        self.expect("convert_lead", Some(place), &answer, if status == 200 && !may_create { 403 } else { status });
        if answer.status == 200 {
            self.has_open_fields_alone("leads", &answer.body["lead"]);
            for left in answer.body["not_carried"].as_array().unwrap() {
                let field = left["field"].as_str().unwrap().split('.').next().unwrap();
                assert!(self.mask.shows("leads", field), "{field} with {:?}: {}", self.mask, answer.text);
            }
        }
    }

    fn expand(&self, resource: &'static str, place: Place) {
        let (relation, field) = match resource {
            "contacts" => ("company", "company_id"),
            "companies" => ("parent", "parent_id"),
            "opportunities" => ("company", "company_id"),
            "tasks" | "notes" => ("company", "parent"),
            "leads" => ("owner", "owner_id"),
            "products" => ("owner", "owner_id"),
            other => panic!("{other} embeds nothing: say here what it does"),
        };
        let path = format!("/v1/{resource}/{}?expand={relation}", self.world.id(resource, place));
        let answer = self.world.caller.get(&path);
        let is_open = self.mask.shows(resource, field);
        self.expect(&format!("expand {relation}"), Some(place), &answer, if is_open { 200 } else { 403 });
        if is_open && relation == "company" && place.is_here() {
            let is_seen = self.rule("companies").sees(world::company_of(place));
            assert_eq!(answer.body["expanded"]["company"].is_object(), is_seen, "{place:?}: {}", answer.text);
        }
    }

    /// A report counts what the caller may see, and needs the fields that it tells of.
    fn score_quality(&self) {
        // A draft: to publish it would score the leads of the world while others look at them.
        let known = self.world.admin.all("/v1/score_definitions").into_iter().next();
        let new = || self.world.admin.create("/v1/score_definitions", &samples::body("NewScoreDefinition", "quality"));
        let id = known.unwrap_or_else(new)["id"].as_str().unwrap().to_owned();
        let answer = self.world.caller.get(&format!("/v1/score_definitions/{id}/quality"));
        let is_open = ["score", "converted_at"].iter().all(|field| self.mask.shows("leads", field));
        let status = if self.rule("leads").sees_none() || !is_open { 403 } else { 200 };
        self.expect("get_score_definition_quality", None, &answer, status);
    }

    fn report_pipeline(&self) {
        let rule = self.rule("opportunities");
        let needed = ["stage_class", "stage_entered_at", "amount", "currency", "probability"];
        for (group_by, field) in [("stage", "stage_id"), ("owner", "owner_id"), ("close_month", "close_date")] {
            let is_open = needed.iter().chain([&field]).all(|field| self.mask.shows("opportunities", field));
            for path in ["/v1/reports/pipeline", "/v1/reports/pipeline.csv"] {
                let query = json!({"group_by": group_by, "currency": "EUR"});
                let answer = self.world.caller.post(path, &query);
                let status = if rule.sees_none() || !is_open { 403 } else { 200 };
                self.expect(&format!("report {path} by {group_by}"), None, &answer, status);
                if status == 200 && path.ends_with("pipeline") {
                    let is_seen =
                        |record: &&world::Record| record.resource == "opportunities" && rule.sees(record.place);
                    let seen = self.world.records.iter().filter(is_seen).count();
                    assert_eq!(answer.body["total"]["count"], json!(seen), "{rule:?}: {}", answer.text);
                }
            }
        }
    }

    fn report(&self, report: &str, fields: &[&str]) {
        let rule = self.rule("opportunities");
        let is_open = fields.iter().all(|field| self.mask.shows("opportunities", field));
        let query = match report.trim_end_matches(".csv") {
            "forecast" => json!({"currency": "EUR", "from_month": "2026-01", "months": 24}),
            "win_rate" => json!({"currency": "EUR", "from": "2020-01-01", "to": "2029-01-01", "group_by": "owner"}),
            "funnel" => {
                let pipeline = samples::default_pipeline(&self.world.admin)["id"].clone();
                json!({"currency": "EUR", "from": "2020-01-01", "to": "2029-01-01", "pipeline_id": pipeline})
            }
            "activity" => json!({"currency": "EUR", "from": "2020-01-01", "to": "2029-01-01"}),
            other => panic!("{other}: say here what it is asked"),
        };
        let answer = self.world.caller.post(&format!("/v1/reports/{report}"), &query);
        self.expect(&format!("report {report}"), None, &answer, if rule.sees_none() || !is_open { 403 } else { 200 });
        if answer.status != 200 || report.ends_with(".csv") {
            return;
        }
        let is_seen = |record: &&world::Record| record.resource == "opportunities" && rule.sees(record.place);
        let seen = self.world.records.iter().filter(is_seen).count();
        let counted = match report {
            "forecast" => &answer.body["total"]["open_count"],
            "funnel" => &answer.body["velocity"]["open_count"],
            // All of them are open, and a program has created them.
            "win_rate" | "activity" => return,
            other => panic!("{other}: say here what it counts"),
        };
        assert_eq!(counted, &json!(seen), "{rule:?}: {}", answer.text);
    }

    /// Whoever may see a record hears of all of its changes, and nobody else of any.
    fn changes(&self) {
        self.world.wait_for_positions();
        let changes = self.world.caller.all("/v1/changes?limit=200");
        for record in &self.world.records {
            let of_record: Vec<Value> =
                changes.iter().filter(|change| change["record"]["id"] == record.id).cloned().collect();
            let about = format!("the feed of {:?} in {} with {:?}", record.place, record.resource, self.rules);
            assert_eq!(!of_record.is_empty(), self.rule(record.resource).sees(record.place), "{about}");
            // Of what the caller has created in between with words of others, they know anyway.
            self.no_closed_word(&about, &json!(of_record).to_string());
        }
        self.have_open_fields_alone(&changes);
    }

    fn stream_of_changes(&self) {
        let stream = self.world.caller.get("/v1/changes/stream?until=head");
        stream.expect(200);
        let changes: Vec<Value> =
            events(&stream.text).into_iter().filter(|event| event.name == "change").map(|event| event.data).collect();
        assert_eq!(changes, self.world.caller.all("/v1/changes?limit=200"));
    }

    fn have_open_fields_alone(&self, changes: &[Value]) {
        for entry in changes {
            let is_kind = |resource: &&&str| entry["record"]["kind"] == entity(resource);
            let resource = world::RESOURCES.iter().find(is_kind).unwrap_or_else(|| panic!("{entry}"));
            for change in entry["changes"].as_array().unwrap() {
                let field = change["field"].as_str().unwrap();
                let is_open = self.mask.shows(resource, field) && (field != "name" || self.mask.names(resource));
                assert!(is_open, "{entry} tells {field} with {:?}", self.mask);
            }
        }
    }

    fn list_shares(&self) {
        for place in Place::ALL {
            let path = format!("/v1/shares?resource=contacts&record_id={}", self.world.id("contacts", *place));
            let answer = self.world.caller.get(&path);
            let status = if self.rule("contacts").sees(*place) { 200 } else { 404 };
            self.expect("list_shares", Some(*place), &answer, status);
        }
    }

    fn create_shares(&self) {
        for place in Place::ALL {
            let record = self.world.id("contacts", *place);
            let new = json!({"resource": "contacts", "record_id": record, "user_id": self.world.colleague});
            let answer = self.world.caller.post("/v1/shares", &new);
            let status = match (self.rule("contacts").sees(*place), self.rule("contacts").reaches_to_write(*place)) {
                (_, true) => 201,
                (true, false) => 403,
                (false, false) => 422,
            };
            self.expect("create_share", Some(*place), &answer, status);
            if status == 201 {
                self.world.admin.delete(&format!("/v1/shares/{}", answer.body["id"].as_str().unwrap())).expect(204);
            }
        }
    }

    fn get_share(&self, place: Place) {
        let Some(share) = self.world.share_of(place) else { return };
        let answer = self.world.caller.get(&format!("/v1/shares/{share}"));
        self.expect("get_share", Some(place), &answer, if self.rule("contacts").sees(place) { 200 } else { 404 });
    }

    /// Only refusals: a share that ended would change the world.
    fn delete_share(&self, place: Place) {
        let Some(share) = self.world.share_of(place).filter(|_| !self.rule("contacts").reaches_to_write(place)) else {
            return;
        };
        let answer = self.world.caller.delete(&format!("/v1/shares/{share}"));
        self.expect("delete_share", Some(place), &answer, if self.rule("contacts").sees(place) { 403 } else { 404 });
    }

    /// What is explained is what is done.
    fn explanations(&self) {
        for resource in ["contacts", "tasks", "notes"] {
            Place::ALL.iter().filter(|place| place.is_here()).for_each(|place| self.explanation(resource, *place));
        }
    }

    fn explanation(&self, resource: &'static str, place: Place) {
        let (rule, record) = (self.rule(resource), self.world.id(resource, place));
        let path = format!("/v1/access/explain?resource={resource}&record={record}&user={}", self.world.caller_id);
        let answer = self.world.admin.get(&path);
        answer.expect(200);
        let allowed: Vec<bool> =
            answer.body["rights"].as_array().unwrap().iter().map(|right| right["allowed"] == true).collect();
        let expected = [rule.sees(place), rule.changes(place), rule.to_delete(place) == 204];
        assert_eq!(allowed, expected, "{resource} {place:?} with {rule:?}: {}", answer.text);
        for field in answer.body["closed_fields"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            let is_closed = !self.mask.shows(resource, field) || (field == "name" && !self.mask.names(resource));
            assert!(is_closed || rule.sees_none(), "{field} with {:?}", self.mask);
        }
    }
}

/// The ids of the records that a text tells of, other than as what another one is about: a reference is shown as it is kept.
fn named(text: &str) -> Vec<&str> {
    let is_reference = |before: &str| {
        let object = before.rfind('{').map_or(before, |start| &before[..start]);
        ["\"parent\":", "\"from\":", "\"to\":"].iter().any(|field| object.ends_with(field))
    };
    let ids = text.match_indices("\"id\":\"").filter(|(at, _)| !is_reference(&text[..*at]));
    ids.filter_map(|(at, field)| text[at + field.len()..].split('"').next()).collect()
}

fn entity(resource: &str) -> &'static str {
    match resource {
        "contacts" => "contact",
        "companies" => "company",
        "opportunities" => "opportunity",
        "tasks" => "task",
        "notes" => "note",
        "leads" => "lead",
        "products" => "product",
        other => panic!("{other} has no entity: add it here"),
    }
}

/// Fields without which there is no record, and with which alone there is one.
fn needed(resource: &str) -> &'static [&'static str] {
    match resource {
        "contacts" | "leads" => &["first_name"],
        "products" => &["code", "name"],
        "notes" => &["parent", "body"],
        _ => &["name"],
    }
}

/// The node that looks for a word in its field.
fn node(word: &world::Word) -> Value {
    match word.field {
        "tags" => json!({"type": "tags", "field": "tags", "op": "has_any", "values": [word.text]}),
        "emails" => {
            json!({"type": "text", "field": "email", "op": "eq", "value": format!("{}@example.com", word.text)})
        }
        "addresses" => json!({"type": "text", "field": "city", "op": "eq", "value": word.text}),
        "custom" => json!({"type": "text", "field": "custom.note", "op": "eq", "value": word.text}),
        field => json!({"type": "text", "field": field, "op": "eq", "value": word.text}),
    }
}

/// A new value for a field that masks close to writing.
fn closed_value(field: &str) -> Value {
    if field == "tags" { json!(["changed"]) } else { json!("Changed") }
}
