//! The state machine of leads: where they can go, by the class of their status.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::lead_status::{LeadStatus, LeadStatusClass, LeadStatuses},
    Lead, LeadMove,
};
use crate::{
    journal::ActorReference,
    problem::{Fields, Invalid},
    record::Stamp,
};

/// Moves that the classes allow and that make no sense all the same: whoever was found to fit was no junk. By the keys of the
/// statuses with which every workspace begins.
const NEVER: &[(&str, &str)] = &[("qualified", "junk")];

/// The status of what never was a lead, such as an advertisement. It is the only one of its class without a reason.
const JUNK: &str = "junk";

/// The status of a lead that was converted, unless another is named.
pub(super) const CONVERTED: &str = "converted";

/// A time that a lead spent in a status.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadStatusChange {
    /// The status before, as its key; null for the first one.
    #[schema(required, example = "new")]
    pub from_status: Option<String>,
    /// The status, as its key.
    #[schema(example = "contacted")]
    pub to_status: String,
    /// What the status meant.
    pub to_status_class: LeadStatusClass,
    /// Since when the lead had it.
    pub entered_at: DateTime<Utc>,
    /// Until when; null while the lead has it.
    #[schema(required)]
    pub left_at: Option<DateTime<Utc>>,
    /// How long, in seconds; until now while the lead has it.
    #[schema(minimum = 0, example = 86_400.5)]
    pub duration_seconds: f64,
    /// Who moved it there.
    pub actor: ActorReference,
}

impl LeadStatusClass {
    /// The classes to which leads go from this one by themselves. Lost leads are recycled, and won ones stay.
    fn leads_to(self) -> &'static [Self] {
        match self {
            Self::Open | Self::Ongoing => &[Self::Ongoing, Self::OnHold, Self::Lost],
            Self::OnHold => &[Self::Ongoing, Self::Lost],
            Self::Won | Self::Lost => &[],
        }
    }
}

/// The status of a new lead: the one named, or that with which leads begin.
pub(super) fn of_new<'s>(named: Option<&str>, statuses: &'s LeadStatuses) -> Result<&'s LeadStatus, Invalid> {
    let Some(key) = named else {
        let detail = "There is no open status to begin with. Name a status.";
        return statuses.first_open().ok_or_else(|| Invalid::at("/status", "required", detail));
    };
    let status = chosen(key, statuses)?;
    if status.class == LeadStatusClass::Won {
        let detail = "A lead is won by converting it. Begin with another status.";
        return Err(Invalid::at("/status", "not_allowed", detail));
    }
    Ok(status)
}

/// The status of this key, if it can be chosen.
fn chosen<'s>(key: &str, statuses: &'s LeadStatuses) -> Result<&'s LeadStatus, Invalid> {
    statuses.find(key).filter(|status| !status.archived).ok_or_else(|| {
        let known = statuses.living().map(|status| status.key.as_str()).collect::<Vec<_>>().join(", ");
        let detail = format!("There is no such status to choose. There are: {known}.");
        Invalid::at("/status", "unknown_status", detail)
    })
}

impl Lead {
    /// The statuses that the lead can be moved to.
    pub fn targets<'s>(&self, statuses: &'s LeadStatuses) -> Vec<&'s LeadStatus> {
        statuses.living().filter(|status| self.can_become(status)).collect()
    }

    /// Whether the lead can be moved to a status: what holds for the default statuses is said by their classes, so that an
    /// added status inherits it.
    fn can_become(&self, status: &LeadStatus) -> bool {
        status.key != self.status
            && self.status_class.leads_to().contains(&status.class)
            && !NEVER.contains(&(self.status.as_str(), status.key.as_str()))
    }

    /// The lead with another status.
    pub fn move_to(&self, to: LeadMove, statuses: &LeadStatuses, stamp: Stamp) -> Result<Self, Invalid> {
        let status = chosen(&to.status, statuses)?;
        if !self.can_become(status) {
            let detail = match (self.status_class, status.class) {
                (LeadStatusClass::Lost, _) => "A lost lead is recycled first: POST /v1/leads/{lead_id}/recycle.",
                (LeadStatusClass::Won, _) => "A lead that was converted stays as it is.",
                (_, LeadStatusClass::Won) => "A lead is won by converting it.",
                _ => "A lead can't go there.",
            };
            return Err(self.stays(detail, statuses));
        }
        let (lost_reason_id, lost_note) = (to.lost_reason_id, to.lost_note);
        self.with_status(status, stamp, Self { lost_reason_id, lost_note, ..self.clone() })
    }

    /// A lost lead as it begins anew.
    pub fn recycle(&self, statuses: &LeadStatuses, stamp: Stamp) -> Result<Self, Invalid> {
        if self.status_class != LeadStatusClass::Lost {
            return Err(self.stays("Only a lost lead is recycled.", statuses));
        }
        let status = of_new(None, statuses)?;
        let recycled_count = self.recycled_count + 1;
        self.with_status(status, stamp, Self { recycled_count, lost_reason_id: None, lost_note: None, ..self.clone() })
    }

    /// The lead with a status of the same class, as when its own is taken out of the list.
    pub fn replace_status(&self, status: &LeadStatus, stamp: Stamp) -> Result<Self, Invalid> {
        self.with_status(status, stamp, self.clone())
    }

    pub(super) fn with_status(&self, status: &LeadStatus, stamp: Stamp, after: Self) -> Result<Self, Invalid> {
        let after = Self {
            status: status.key.clone(),
            status_class: status.class,
            // The same moment as that of the new version, which never goes back.
            status_entered_at: stamp.at.max(self.updated_at),
            ..after
        };
        after.checked(None, false)
    }

    /// Says that the lead stays where it is, and where it could go.
    pub(super) fn stays(&self, why: &str, statuses: &LeadStatuses) -> Invalid {
        let targets = self.targets(statuses).iter().map(|status| status.key.as_str()).collect::<Vec<_>>().join(", ");
        let where_to = match targets.as_str() {
            "" => "It can be moved nowhere.".to_owned(),
            targets => format!("It can be moved to: {targets}."),
        };
        Invalid::transition("/status", format!("{why} This one is {}. {where_to}", self.status))
    }

    /// A lead is lost for a reason, unless it is junk; others have none.
    pub(super) fn check_lost(&self, fields: &mut Fields) {
        if self.status_class == LeadStatusClass::Lost {
            if self.lost_reason_id.is_none() && self.status != JUNK {
                let detail = "Say why the lead is lost: name one of GET /v1/lost_reasons.";
                fields.refuse("/lost_reason_id", "required", detail);
            }
            return;
        }
        for (pointer, is_given) in
            [("/lost_reason_id", self.lost_reason_id.is_some()), ("/lost_note", self.lost_note.is_some())]
        {
            if is_given {
                let detail = format!("Only a lost lead has this, and this one is {}. Leave it out.", self.status);
                fields.refuse(pointer, "not_lost", detail);
            }
        }
    }
}
