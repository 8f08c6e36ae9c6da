//! The servers: one for the API, one for measurements.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_cors::Cors;
use actix_web::{
    App, Error, HttpMessage, HttpResponse, HttpServer,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::{Compress, Next, from_fn},
    web,
};
use ipnet::IpNet;
use rapport_persistence::Db;
use tokio::sync::watch;
use tracing::Span;
use tracing_actix_web::{RootSpanBuilder, TracingLogger};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    address::TrustedProxies,
    auth::{
        Authenticator, Outside, OutsideOptions, Tokens,
        password::Passwords,
        throttle::{Resets, SignIns},
    },
    contract::Contract,
    envelope::{self, RequestId},
    feed::{self, Places},
    gate,
    limits::{Limiter, RateLimits},
    mail::{Mailer, Post},
    metrics::Metrics,
    openapi, origins, routes,
    workspace::passwords::ResetRoom,
};

/// The largest body, in bytes.
const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// Smaller answers are not worth compressing, in bytes.
const WORTH_COMPRESSING: u64 = 1024;

/// How to serve.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where measurements are read; nowhere when none.
    pub metrics_listen: Option<SocketAddr>,
    /// Web pages of these origins may call the API from browsers.
    pub cors_origins: Vec<String>,
    /// An identity provider whose tokens are taken, too.
    pub outside: Option<OutsideOptions>,
    /// Networks of proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many requests somebody may send.
    pub rate_limits: RateLimits,
    /// Takes the mails that Rapport sends.
    pub mailer: Arc<dyn Mailer>,
    /// Where the pages are on which people choose passwords.
    pub public_url: Option<String>,
    /// How long requests that are under way may take when the server stops.
    pub grace: Duration,
}

/// A server that accepts requests.
pub struct Running {
    /// Where the API listens: with the port that the system chose, where the options had none.
    pub address: SocketAddr,
    /// Where measurements are read.
    pub metrics_address: Option<SocketAddr>,
    handles: Vec<ServerHandle>,
    /// Tells answers that have no end of their own to come to one.
    stopping: watch::Sender<bool>,
}

impl Running {
    /// Lets requests that are under way come to their end, and stops.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        for handle in self.handles {
            handle.stop(true).await;
        }
    }
}

/// Starts to serve. Fails when an address is taken or the document does not say who may call an operation.
pub async fn start(options: HttpOptions, db: Db) -> Result<Running, String> {
    let contract = web::Data::new(Contract::new(&openapi::published()?)?);
    let tokens = web::Data::new(Tokens::open(db.clone()).await.map_err(|error| error.to_string())?);
    let outside = options.outside.map(|outside| Outside::new(outside, db.clock().clone())).transpose()?;
    let authenticator = web::Data::new(Authenticator::new(db.clone(), tokens.clone(), outside));
    let metrics = Metrics::new()?;
    let (shared_metrics, cors_origins) = (web::Data::new(metrics.clone()), options.cors_origins.clone());
    let (db, passwords) = (web::Data::new(db), web::Data::new(Passwords::start()?));
    let proxies = web::Data::new(TrustedProxies::new(&options.trusted_proxies));
    let limiter = web::Data::new(Limiter::new(options.rate_limits));
    let (sign_ins, resets) = (web::Data::new(SignIns::new()), web::Data::new(Resets::new()));
    let room = web::Data::new(ResetRoom::new());
    let (stopping, stops) = watch::channel(false);
    let places = web::Data::new(Places::new(stops));
    let post = web::Data::new(Post::new(Arc::clone(&options.mailer), options.public_url.as_deref()));

    let server = HttpServer::new(move || {
        App::new()
            .service(web::scope(routes::VERSION).configure(routes::serve(routes::VERSION, routes::rooms)))
            .configure(routes::serve("", routes::beside))
            .app_data(contract.clone())
            .app_data(authenticator.clone())
            .app_data(shared_metrics.clone())
            .app_data(db.clone())
            .app_data(tokens.clone())
            .app_data(passwords.clone())
            .app_data(proxies.clone())
            .app_data(limiter.clone())
            .app_data(sign_ins.clone())
            .app_data(resets.clone())
            .app_data(post.clone())
            .app_data(room.clone())
            .app_data(places.clone())
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .route("/openapi.json", web::get().to(document))
            .route("/openapi-3.0.json", web::get().to(compatible_document))
            .route("/docs", web::get().to(|| async { moved("/docs/") }))
            .route("/docs/index.html", web::get().to(|| async { moved("/docs/") }))
            .route("/docs/", web::get().to(reference))
            .service(SwaggerUi::new("/docs/{_:.*}").config(viewer()))
            .wrap(from_fn(gate::wrap))
            .wrap(from_fn(leave_alone))
            .wrap(Compress::default())
            .wrap(cors(&cors_origins))
            .wrap(from_fn(origins::wrap))
            .wrap(TracingLogger::<Spans>::new())
            .wrap(from_fn(envelope::wrap))
    })
    .shutdown_timeout(options.grace.as_secs())
    .client_request_timeout(Duration::from_secs(10))
    .disable_signals()
    .bind(options.listen)
    .map_err(|error| cannot_listen(options.listen, &error))?;
    let address = server.addrs().first().copied().unwrap_or(options.listen);

    let mut handles = Vec::new();
    let mut metrics_address = None;
    if let Some(listen) = options.metrics_listen {
        let (bound, server) = serve_metrics(listen, metrics)?;
        metrics_address = Some(bound);
        handles.push(run(server));
    }
    handles.push(run(server.run()));
    Ok(Running { address, metrics_address, handles, stopping })
}

fn run(server: actix_web::dev::Server) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let next = address.port().checked_add(1).unwrap_or(8080);
            format!(
                "{address} is in use by another program: stop that one, or choose another address, such as {}:{next}",
                address.ip()
            )
        }
        _ => format!("can't listen on {address}: {error}"),
    }
}

fn serve_metrics(listen: SocketAddr, metrics: Metrics) -> Result<(SocketAddr, actix_web::dev::Server), String> {
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(metrics.clone())).route("/metrics", web::get().to(measurements))
    })
    .workers(1)
    .disable_signals()
    .bind(listen)
    .map_err(|error| cannot_listen(listen, &error))?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((address, server.run()))
}

async fn measurements(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(error) => HttpResponse::InternalServerError().body(error),
    }
}

async fn document(contract: web::Data<Contract>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(contract.text.clone())
}

async fn compatible_document(contract: web::Data<Contract>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(contract.compatible_text.clone())
}

fn moved(to: &str) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish()
}

/// The page of the reference, around the viewer. That of the viewer itself is not made for telephones.
async fn reference() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, REFERENCE_POLICY))
        .body(include_str!("reference.html"))
}

/// It keeps an API key in the browser, so nothing of another origin comes in, and nothing goes out. The viewer styles its
/// elements one by one, and has its pictures in itself.
const REFERENCE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn viewer() -> Config<'static> {
    Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_request_duration(true)
        // It would tell a service elsewhere where this server is, so that the service reads the document and judges it.
        .validator_url("none")
}

/// Pages of the origins named may call; a browser is told to keep the answer for an hour.
fn cors(origins: &[String]) -> Cors {
    let exposed = [
        "dry-run",
        "etag",
        "idempotent-replayed",
        "invitation",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "x-request-id",
    ]
    .map(HeaderName::from_static);
    let allowed = [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "last-event-id",
        "on-behalf-of",
        "x-api-key",
        "x-request-id",
        "traceparent",
    ]
    .map(HeaderName::from_static);
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let cors = Cors::default().allowed_methods(methods).allowed_headers(allowed).expose_headers(exposed).max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Marks small answers, and streams, which nothing may hold back, as not to be compressed; the envelope takes the mark away
/// again.
async fn leave_alone(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let is_small = matches!(response.response().body().size(), BodySize::Sized(size) if size < WORTH_COMPRESSING);
    if is_small || feed::is_stream(response.headers()) {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(response)
}

/// One span a request, and one line when it is answered. Neither holds what people typed: no query, no body. Each field of a span is
/// written out for each request, whether anything is logged of it or not, so what only the line tells is a field of the line.
struct Spans;

/// An address as logs tell it: without the secret of a calendar.
fn told(path: &str) -> &str {
    match path.starts_with(CALENDARS) {
        true => CALENDARS,
        false => path,
    }
}

const CALENDARS: &str = "/v1/calendars/";

impl RootSpanBuilder for Spans {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let request_id = extensions.get::<RequestId>().map(|id| id.0.as_str()).unwrap_or_default();
        tracing::info_span!("request", method = %request.method(), path = %told(request.path()), request_id = %request_id)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        span.in_scope(|| match outcome {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(operation = envelope::operation_of(response.request()), status, "answered");
            }
            Err(error) => tracing::debug!(status = error.as_response_error().status_code().as_u16(), "answered"),
        });
    }
}
