//! What comes again and again.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Revenue that comes again and again, in the currency of the opportunity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"monthly": "450.00", "annual": "5400.00", "term_months": 24}))]
pub struct RecurringRevenue {
    /// Revenue of a month (MRR).
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "450.00")]
    pub monthly: Option<Decimal>,
    /// Revenue of a year (ARR).
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "5400.00")]
    pub annual: Option<Decimal>,
    /// Mean value of the contract in a year (ACV).
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "6000.00")]
    pub annual_contract_value: Option<Decimal>,
    /// For how many months.
    #[schema(minimum = 1, maximum = 1200, example = 24)]
    pub term_months: Option<i32>,
}

/// Changes to revenue that comes again and again, as JSON Merge Patch: absent fields stay, null clears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"monthly": "500.00", "annual": "6000.00", "term_months": null}))]
pub struct RecurringRevenueChanges {
    /// Revenue of a month (MRR).
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "500.00")]
    pub monthly: Option<Option<Decimal>>,
    /// Revenue of a year (ARR).
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "6000.00")]
    pub annual: Option<Option<Decimal>>,
    /// Mean value of the contract in a year (ACV).
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "6600.00")]
    pub annual_contract_value: Option<Option<Decimal>>,
    /// For how many months.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(minimum = 1, maximum = 1200, example = 24)]
    pub term_months: Option<Option<i32>>,
}

impl RecurringRevenueChanges {
    /// The revenue as it would be after the changes. Where there was none, it is what they give.
    pub(super) fn applied_to(self, before: Option<&RecurringRevenue>) -> RecurringRevenue {
        let before = before.cloned().unwrap_or_default();
        RecurringRevenue {
            monthly: self.monthly.unwrap_or(before.monthly),
            annual: self.annual.unwrap_or(before.annual),
            annual_contract_value: self.annual_contract_value.unwrap_or(before.annual_contract_value),
            term_months: self.term_months.unwrap_or(before.term_months),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(before: Option<&RecurringRevenue>, changes: Value) -> RecurringRevenue {
        let changes: RecurringRevenueChanges = serde_json::from_value(changes).unwrap();
        changes.applied_to(before)
    }

    #[test]
    fn what_is_absent_stays_and_null_clears() {
        let before = RecurringRevenue {
            monthly: Some(Decimal::new(45_000, 2)),
            annual: Some(Decimal::new(540_000, 2)),
            annual_contract_value: None,
            term_months: Some(24),
        };
        let changed = after(Some(&before), json!({"monthly": "500.00", "annual": null}));
        let monthly = Some(Decimal::new(50_000, 2));
        assert_eq!(changed, RecurringRevenue { monthly, annual: None, ..before.clone() });
        assert_eq!(after(Some(&before), json!({})), before);
        let only = RecurringRevenue { term_months: Some(12), ..RecurringRevenue::default() };
        assert_eq!(after(None, json!({"term_months": 12, "annual": null})), only);
    }
}
