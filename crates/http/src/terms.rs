//! The terms of a write: once for an `Idempotency-Key`, or only as a rehearsal. Read by the gate for every operation that
//! writes for a caller, and kept here for all of them.

use std::{
    cell::Cell,
    future::Future,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::header::{HeaderName, HeaderValue},
};
use rapport_domain::problem::FieldProblem;
use rapport_persistence::{
    Db, StoreError, Writer,
    idempotency::{Once, Terms},
};
use sha2::{Digest, Sha256};

use crate::{
    answer::Answer,
    auth::Auth,
    problem::{ApiError, ApiResult},
};

/// The header with a key that the caller chose for a write.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Says that nothing was written.
pub(crate) const DRY_RUN: HeaderName = HeaderName::from_static("dry-run");

/// The query parameter that asks for a rehearsal.
pub(crate) const DRY_RUN_PARAMETER: &str = "dry_run";

/// The longest key, in characters.
pub(crate) const LONGEST_KEY: usize = 255;

/// What a request says of how it is to be done.
pub(crate) struct Asked {
    key: Option<String>,
    rehearsal: bool,
    /// SHA-256 over method, path and query; the body comes later.
    address: [u8; 32],
    body: Cell<[u8; 32]>,
}

impl Asked {
    /// Reads the terms and leaves them with the request.
    pub(crate) fn read(request: &ServiceRequest) -> ApiResult<()> {
        let key = request.headers().get(IDEMPOTENCY_KEY).map(key).transpose()?;
        let query = request.query_string();
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default(); // the contract has read it
        let rehearsal = pairs.iter().any(|(name, value)| name == DRY_RUN_PARAMETER && value == "true");
        let address = Sha256::new()
            .chain_update(request.method().as_str())
            .chain_update([0])
            .chain_update(request.path())
            .chain_update([0])
            .chain_update(query);
        let asked = Self { key, rehearsal, address: address.finalize().into(), body: Cell::default() };
        request.extensions_mut().insert(Rc::new(asked));
        Ok(())
    }

    /// Notes the body of a request that has terms.
    pub(crate) fn note_body(request: Option<Rc<Self>>, bytes: &[u8]) {
        if let Some(asked) = request {
            asked.body.set(Sha256::digest(bytes).into());
        }
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get::<Rc<Self>>().cloned()
    }

    fn terms(&self) -> Terms {
        let fingerprint = Sha256::new().chain_update(self.address).chain_update(self.body.get()).finalize().into();
        let once = self.key.clone().map(|key| Once { key, fingerprint });
        Terms { once, rehearsal: self.rehearsal }
    }
}

fn key(value: &HeaderValue) -> ApiResult<String> {
    let text = value.to_str().ok().map(str::trim);
    let fits = |text: &&str| (1..=LONGEST_KEY).contains(&text.len());
    text.filter(fits).map(ToOwned::to_owned).ok_or_else(|| {
        let detail = format!("A key has 1 to {LONGEST_KEY} letters, digits and signs of ASCII. A UUID is a good one.");
        ApiError::header(FieldProblem::header("Idempotency-Key", "invalid", detail))
    })
}

impl<P> Auth<P> {
    /// Writes on the terms of the request.
    pub(crate) async fn write<F>(&self, db: &Db, work: F) -> ApiResult<HttpResponse>
    where
        F: FnOnce(&mut Writer<'_>) -> Result<Answer, StoreError> + Send + 'static,
    {
        let terms = self.terms();
        let rehearsal = terms.rehearsal;
        let done = db.write_on(&self.scope(), terms, work).await?;
        Ok(marked(done.answer, rehearsal, done.is_replay))
    }

    /// Writes on the terms of the request, and does something foreign once that is kept. The answer may tell of it, and is
    /// kept again then. Neither a rehearsal nor a replay does anything foreign.
    pub(crate) async fn write_then<T, F, G, R>(&self, db: &Db, work: F, then: G) -> ApiResult<HttpResponse>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<(Answer, T), StoreError> + Send + 'static,
        G: FnOnce(Answer, T) -> R,
        R: Future<Output = Result<Answer, StoreError>>,
    {
        let terms = self.terms();
        let (rehearsal, once) = (terms.rehearsal, terms.once.clone());
        let outcome = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&outcome);
        let work = move |writer: &mut Writer<'_>| {
            let (answer, follows) = work(writer)?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(follows);
            Ok(answer)
        };
        let done = db.write_on(&self.scope(), terms, work).await?;
        let follows = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answer = match follows {
            Some(follows) if !rehearsal && !done.is_replay => {
                let answer = then(done.answer, follows).await?;
                match once {
                    Some(once) => db.amend(&self.scope(), once, answer).await?,
                    None => answer,
                }
            }
            _ => done.answer,
        };
        Ok(marked(answer, rehearsal, done.is_replay))
    }

    fn terms(&self) -> Terms {
        self.asked().map(Asked::terms).unwrap_or_default()
    }
}

fn marked(answer: Answer, rehearsal: bool, is_replay: bool) -> HttpResponse {
    let mut response = answer.into_response();
    if rehearsal {
        response.headers_mut().insert(DRY_RUN, HeaderValue::from_static("true"));
    }
    if is_replay {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
