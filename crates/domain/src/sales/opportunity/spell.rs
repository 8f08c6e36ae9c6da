//! What the states of an opportunity, one after the other, tell of its past.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::id::{PipelineId, StageId, UserId};

/// The time that an opportunity spent in a stage.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StageSpell {
    /// Stage that it came from; null where it was created here.
    #[schema(value_type = Option<Uuid>)]
    pub from_stage_id: Option<StageId>,
    /// Stage that it was in.
    #[schema(value_type = Uuid)]
    pub stage_id: StageId,
    /// Pipeline of the stage.
    #[schema(value_type = Uuid)]
    pub pipeline_id: PipelineId,
    /// When it came there.
    pub entered_at: DateTime<Utc>,
    /// When it left; null while it is there.
    pub left_at: Option<DateTime<Utc>>,
    /// For how many seconds it was there, until now where it is there and open. Null where it is there won or lost: so all
    /// of them together are its age.
    #[schema(minimum = 0, example = 86_400.25)]
    pub duration_seconds: Option<f64>,
    /// What it was worth when it came there.
    #[schema(value_type = Option<String>, example = "12500.00")]
    pub amount: Option<Decimal>,
    /// ISO 4217 code of the amount's currency.
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// When it was expected to be won when it came there.
    pub close_date: Option<NaiveDate>,
    /// Who looked after it when it came there.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// User or API key that brought it there; null when Rapport did.
    pub actor_id: Option<Uuid>,
}

/// A change of the date on which an opportunity was expected to be won.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CloseDateChange {
    /// The date before; null where there was none.
    pub from: Option<NaiveDate>,
    /// The date after; null where there is none.
    pub to: Option<NaiveDate>,
    /// By how many days it was put off; negative where it was brought forward. Null where one of them is missing.
    #[schema(example = 31)]
    pub days_pushed: Option<i64>,
    /// When it was changed.
    pub at: DateTime<Utc>,
    /// User or API key that changed it; null when Rapport did.
    pub actor_id: Option<Uuid>,
}
