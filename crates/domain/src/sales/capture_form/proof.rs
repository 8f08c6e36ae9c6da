//! Proof of work: what a browser reckons for a moment, and a program that sends thousands of forms for hours.

use sha2::{Digest, Sha256};

/// Whether a solution solves a challenge: SHA-256 over `challenge:solution` begins with so many bits that are zero.
pub fn is_solved(challenge: &str, solution: &str, bits: i64) -> bool {
    let digest = Sha256::new().chain_update(challenge).chain_update(":").chain_update(solution).finalize();
    let mut zeros = 0;
    for byte in digest {
        zeros += i64::from(byte.leading_zeros());
        if byte != 0 {
            break;
        }
    }
    zeros >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_takes_about_as_many_tries_as_it_has_to() {
        for bits in [0, 1, 4, 8, 11] {
            let tries = (0_u32..).position(|number| is_solved("challenge", &number.to_string(), bits)).unwrap();
            assert!(tries < 40 << bits, "{tries} for {bits}");
        }
        let solved = (0_u32..).map(|number| number.to_string()).find(|text| is_solved("a", text, 8)).unwrap();
        assert!(is_solved("a", &solved, 7) && !is_solved("b", &solved, 30));
    }
}
