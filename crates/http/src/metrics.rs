//! Measurements for Prometheus.

use std::time::Duration;

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

/// What is measured of each request.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, String> {
        let requests = Opts::new("rapport_http_requests_total", "Requests answered, by operation and status.");
        let seconds = HistogramOpts::new("rapport_http_request_seconds", "Time to answer, by operation.")
            .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        Self::registered(requests, seconds).map_err(|error| error.to_string())
    }

    fn registered(requests: Opts, seconds: HistogramOpts) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(requests, &["operation", "status"])?;
        let seconds = HistogramVec::new(seconds, &["operation"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { registry, requests, seconds })
    }

    pub(crate) fn request(&self, operation: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[operation, &status.to_string()]).inc();
        self.seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    /// Everything measured, in the text format.
    pub(crate) fn text(&self) -> Result<String, String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}
