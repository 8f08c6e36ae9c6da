//! Typed identifiers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Declares identifiers that cannot be mistaken for one another.
macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one. It tells roughly when it was made and never in which order things happened.
            pub fn mint() -> Self {
                Self(Uuid::now_v7())
            }

            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )+};
}

typed_id! {
    /// A tenant: one business and everything it knows.
    WorkspaceId;
    /// A person who works with Rapport.
    UserId;
    /// Users who work together.
    TeamId;
    /// What users may do.
    RoleId;
    /// A record that somebody else may see, too.
    ShareId;
    /// A key with which a program signs in.
    ApiKeyId;
    /// A sign-in, and what it was prolonged by.
    SessionId;
    /// A key with which access tokens are signed.
    SigningKeyId;
    /// A person the business knows.
    ContactId;
    /// An organisation the business knows.
    CompanyId;
    /// Stages through which opportunities go.
    PipelineId;
    /// A step of a pipeline.
    StageId;
    /// What may be sold.
    OpportunityId;
    /// Somebody who may become a customer.
    LeadId;
    /// How far a lead can have come.
    LeadStatusId;
    /// Who gets which new leads.
    AssignmentRuleId;
    /// A form of a web page.
    CaptureFormId;
    /// What was sent with a form.
    CaptureSubmissionId;
    /// Something that the business sells.
    ProductId;
    /// What a currency is worth in another, from a day on.
    ExchangeRateId;
    /// Why something was not sold.
    LostReasonId;
    /// A filter that somebody saved.
    ViewId;
    /// What somebody wrote down.
    NoteId;
    /// Something to be done.
    TaskId;
    /// An address at which a program reads tasks.
    CalendarFeedId;
    /// An outside system.
    ConnectionId;
    /// An address to which changes are sent.
    WebhookId;
    /// An attempt to send a message to a webhook.
    WebhookDeliveryId;
    /// A field that a workspace has added to a resource.
    CustomFieldId;
    /// Rules by which records get points.
    ScoreDefinitionId;
    /// One line of the journal.
    JournalEntryId;
    /// One run of an import.
    ImportId;
}
