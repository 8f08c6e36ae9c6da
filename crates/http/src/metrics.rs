//! Measurements for Prometheus.

use std::time::Duration;

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

/// What is measured of each request.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    submissions: IntCounterVec,
}

/// What became of a submission of a capture form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Submission {
    Accepted,
    Refused,
    /// A program filled in what people do not see; it is not kept.
    Trapped,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, String> {
        let requests = Opts::new("rapport_http_requests_total", "Requests answered, by operation and status.");
        let seconds = HistogramOpts::new("rapport_http_request_seconds", "Time to answer, by operation.")
            .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let submissions =
            Opts::new("rapport_capture_submissions_total", "Submissions of capture forms, by what became of them.");
        Self::registered(requests, seconds, submissions).map_err(|error| error.to_string())
    }

    fn registered(requests: Opts, seconds: HistogramOpts, submissions: Opts) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(requests, &["operation", "status"])?;
        let seconds = HistogramVec::new(seconds, &["operation"])?;
        let submissions = IntCounterVec::new(submissions, &["outcome"])?;
        registry.register(Box::new(submissions.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { registry, requests, seconds, submissions })
    }

    pub(crate) fn request(&self, operation: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[operation, &status.to_string()]).inc();
        self.seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    pub(crate) fn submission(&self, outcome: Submission) {
        let outcome = match outcome {
            Submission::Accepted => "accepted",
            Submission::Refused => "refused",
            Submission::Trapped => "trapped",
        };
        self.submissions.with_label_values(&[outcome]).inc();
    }

    /// Everything measured, in the text format.
    pub(crate) fn text(&self) -> Result<String, String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}
