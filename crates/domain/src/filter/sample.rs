//! A part of all records that is always the same.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Which records are in the part: those whose place, from 0 to 9,999, is below `below`. A place is worked out of the last
/// 28 bits of an id, which are random, and two numbers that come from the salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub factor: i64,
    pub offset: i64,
    pub below: i64,
}

impl Bucket {
    /// What places are counted modulo, before they are counted modulo [`Self::WHOLE`].
    pub const PRIME: i64 = 2_147_483_647;
    /// How many places there are.
    pub const WHOLE: i64 = 10_000;

    pub(super) fn new(percent: f64, salt: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(salt.as_bytes()).into();
        let number = |at: usize| hash[at..at + 8].iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let modulus = Self::PRIME.unsigned_abs() - 1;
        Self {
            factor: (number(0) % modulus) as i64 + 1,
            offset: (number(8) % modulus) as i64 + 1,
            below: (percent * 100.0).round() as i64,
        }
    }

    pub(super) fn holds(self, id: Uuid) -> bool {
        let tail = (id.as_u128() & 0x0fff_ffff) as i64;
        (tail * self.factor + self.offset) % Self::PRIME % Self::WHOLE < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_large_as_asked_for_and_differs_by_salt() {
        let ids: Vec<Uuid> = (0..20_000).map(|_| Uuid::now_v7()).collect();
        let (one, other) = (Bucket::new(10.0, "one"), Bucket::new(10.0, "other"));
        let count = |is: &dyn Fn(Uuid) -> bool| ids.iter().filter(|id| is(**id)).count();
        let size = count(&|id| one.holds(id));
        assert!((1_700..2_300).contains(&size), "{size}");
        let both = count(&|id| one.holds(id) && other.holds(id));
        assert!((120..290).contains(&both), "{both}");
        assert_eq!(count(&|id| Bucket::new(100.0, "all").holds(id)), ids.len());
        assert_eq!(count(&|id| Bucket::new(0.0, "none").holds(id)), 0);
    }
}
