//! Points in hundredths, which add up exactly.

use std::{
    iter::Sum,
    ops::{Add, Neg, Sub},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// Points, to the hundredth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Points(i64);

impl Points {
    pub const ZERO: Self = Self(0);

    /// So many whole points.
    pub fn whole(points: i64) -> Self {
        Self(points.saturating_mul(100))
    }

    /// The nearest hundredth; of two the one farther from 0.
    pub fn rounded(points: f64) -> Self {
        Self((points * 100.0).round() as i64)
    }

    pub fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    pub fn hundredths(self) -> i64 {
        self.0
    }

    /// The nearest whole number of points; of two the one farther from 0.
    pub fn to_whole(self) -> i64 {
        (self.0 + 50 * self.0.signum()) / 100
    }

    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Points {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Points {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Points {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::rounded)
    }
}

impl PartialSchema for Points {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Number).description(Some("Points, to the hundredth."));
        number.examples([12.5]).into()
    }
}

impl ToSchema for Points {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_round_to_the_nearest_whole_and_halves_away_from_zero() {
        for (hundredths, whole) in
            [(0, 0), (49, 0), (50, 1), (149, 1), (150, 2), (-49, 0), (-50, -1), (-149, -1), (-150, -2)]
        {
            assert_eq!(Points(hundredths).to_whole(), whole, "{hundredths}");
        }
        assert_eq!(Points::rounded(0.005), Points(1));
        assert_eq!(Points::rounded(-2.499), Points(-250));
    }

    proptest! {
        #[test]
        fn points_come_out_of_json_as_they_went_in(hundredths in -1_000_000_000_i64..1_000_000_000) {
            let points = Points(hundredths);
            let text = serde_json::to_string(&points).unwrap();
            prop_assert_eq!(serde_json::from_str::<Points>(&text).unwrap(), points);
        }
    }
}
