//! What is measured, for Prometheus.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::errors::Result;
use super::{export, Hub, Shared};

/// Bounds of the histograms: seconds, and pushes in a commit.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const PUSHES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// Observations are taken into the histograms that often.
const UPKEEP: Duration = Duration::from_secs(5);

/// Begins to measure, in this process.
pub fn start() -> std::result::Result<PrometheusHandle, String> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &PUSHES))
        .map_err(|e| e.to_string())?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|e| e.to_string())?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!("grove_requests_total", "Requests by route, method and status");
    describe_histogram!("grove_request_seconds", Unit::Seconds, "Time until an answer begins, by route");
    describe_histogram!("grove_export_seconds", Unit::Seconds, "Time of crdt_pull");
    describe_counter!("grove_changes_pulled_total", "Changes in answers of /pull");
    describe_counter!("grove_changes_pushed_total", "Changes in requests of /push that were answered");
    describe_counter!("grove_changes_merged_total", "Changes of pushes that were merged");
    describe_counter!("grove_changes_rejected_total", "Changes of pushes that were rejected");
    describe_counter!("grove_conflicts_total", "Changes of pushes that met a concurrent write");
    describe_counter!("grove_stream_exports_total", "Exports made for streams");
    describe_gauge!("grove_streams_open", "Streams that are open");
    describe_counter!("grove_commits_total", "Commits of pushes");
    describe_histogram!("grove_commit_group_size", "Pushes in a commit");
    describe_gauge!("grove_database_bytes", Unit::Bytes, "Size of the database's file and of its WAL");
    describe_gauge!("grove_log_end", "The last row of the log");
    describe_gauge!("grove_present", "Nodes present at topics");
    gauge!("grove_streams_open").set(0.0);
    for name in ["pulled", "pushed", "merged", "rejected"] {
        counter!(format!("grove_changes_{name}_total")).absolute(0);
    }
}

/// Keeps the histograms small.
pub async fn upkeep(measures: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        measures.run_upkeep();
    }
}

/// Counts a request.
pub async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "POST" | "HEAD" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    histogram!("grove_request_seconds", "route" => route.clone()).record(started.elapsed());
    counter!("grove_requests_total", "route" => route, "method" => method, "status" => status).increment(1);
    response
}

/// `GET /metrics`.
pub async fn metrics(State(hub): State<Shared>) -> Result<impl IntoResponse> {
    gauge!("grove_database_bytes").set(bytes(&hub) as f64);
    gauge!("grove_present").set(hub.presence.count() as f64);
    if let Some(end) = hub.readers.run(export::log_end).await? {
        gauge!("grove_log_end").set(end as f64);
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], hub.measures.render()))
}

fn bytes(hub: &Hub) -> u64 {
    let wal = format!("{}-wal", hub.opened.path().display());
    let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| file.len());
    size(hub.opened.path()) + size(wal.as_ref())
}
