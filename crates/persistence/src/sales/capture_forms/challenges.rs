//! Challenges of forms that ask for work. They are sealed, not kept: only those that were solved are kept until they expire,
//! so that each is solved once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::CaptureFormId,
    sales::capture_form::{
        CaptureForm,
        proof::is_solved,
        submission::{Challenge, ProofOfWork},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Db, Reader, StoreError, Writer, forgetting, schema::spent_challenges};

/// How long a challenge can be solved.
const LIFETIME: TimeDelta = TimeDelta::minutes(60);

/// Rows that are forgotten in one short transaction.
const FORGOTTEN_AT_ONCE: i32 = 5_000;

#[derive(Serialize, Deserialize)]
struct Sealed {
    id: Uuid,
    bits: i64,
    expires_at: DateTime<Utc>,
}

/// A new challenge of a form; none where it asks for no work.
pub fn issue(reader: &mut Reader<'_>, form: &CaptureForm) -> Result<Option<Challenge>, StoreError> {
    if form.proof_of_work_bits == 0 {
        return Ok(None);
    }
    let expires_at = (reader.now() + LIFETIME).trunc_subsecs(0);
    let sealed = Sealed { id: Uuid::now_v7(), bits: form.proof_of_work_bits, expires_at };
    let text = serde_json::to_vec(&sealed).map_err(|error| StoreError::Internal(error.to_string()))?;
    let challenge = URL_SAFE_NO_PAD.encode(reader.sealer().seal_text(&place(reader, form.id), &text)?);
    Ok(Some(Challenge { challenge, bits: form.proof_of_work_bits, expires_at }))
}

/// Takes the work that a form asks for, each piece once.
pub(super) fn spend(
    writer: &mut Writer<'_>,
    form: &CaptureForm,
    proof: Option<&ProofOfWork>,
) -> Result<(), StoreError> {
    if form.proof_of_work_bits == 0 {
        return Ok(());
    }
    let again = "Get a new one with GET /v1/capture/{form_key}.";
    let Some(proof) = proof else {
        let detail = format!("The form asks for work: solve a challenge. {again}");
        return Err(StoreError::field("/proof", "required", detail));
    };
    let opened = open(writer, form.id, &proof.challenge);
    // One that was issued when the form asked for less is no more worth than one of another form.
    let Some(sealed) = opened.filter(|sealed| sealed.bits >= form.proof_of_work_bits) else {
        let detail = format!("This is no challenge of this form. {again}");
        return Err(StoreError::field("/proof/challenge", "invalid_challenge", detail));
    };
    if sealed.expires_at <= writer.now() {
        let detail = format!("The challenge has expired. {again}");
        return Err(StoreError::field("/proof/challenge", "expired", detail));
    }
    if !is_solved(&proof.challenge, &proof.solution, sealed.bits) {
        let detail = "This does not solve the challenge. Go on looking.";
        return Err(StoreError::field("/proof/solution", "wrong_solution", detail));
    }
    let spent = diesel::insert_into(spent_challenges::table)
        .values((
            spent_challenges::workspace_id.eq(writer.workspace()),
            spent_challenges::id.eq(sealed.id),
            spent_challenges::expires_at.eq(sealed.expires_at),
        ))
        .on_conflict_do_nothing()
        .execute(writer.pg())?;
    if spent == 1 {
        return Ok(());
    }
    Err(StoreError::field("/proof/challenge", "spent", format!("The challenge was solved before. {again}")))
}

fn open(reader: &Reader<'_>, form: CaptureFormId, challenge: &str) -> Option<Sealed> {
    let bytes = URL_SAFE_NO_PAD.decode(challenge).ok()?;
    let text = reader.sealer().open_text(&place(reader, form), &bytes)?;
    serde_json::from_slice(&text).ok()
}

/// Where a challenge opens: for this form alone.
fn place(reader: &Reader<'_>, form: CaptureFormId) -> Vec<u8> {
    [b"challenge".as_slice(), reader.workspace().as_bytes(), form.uuid().as_bytes()].concat()
}

/// Forgets challenges that have expired, and says whether there are more.
pub async fn forget(db: &Db) -> Result<bool, StoreError> {
    forgetting::forget(db, "spent_challenges", "expires_at", db.clock().now(), FORGOTTEN_AT_ONCE).await
}
