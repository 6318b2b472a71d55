//! Metrics as OpenMetrics text.

use crate::metrics::{Durations, MetricsSnapshot};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

impl MetricsSnapshot {
    /// The content type of [`to_openmetrics`](Self::to_openmetrics) in HTTP.
    pub const OPENMETRICS: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Returns the metrics as OpenMetrics text. Each name begins with `echo_net_`; durations are in seconds.
    pub fn to_openmetrics(&self) -> String {
        let mut registry = Registry::with_prefix("echo_net");
        registry.register_collector(Box::new(Snapshot(self.clone())));
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &registry);
        out
    }
}

#[derive(Debug)]
struct Snapshot(MetricsSnapshot);

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(now) = self;
        let mut out = Writer(encoder);
        connections(&mut out, now)?;
        requests(&mut out, now)?;
        let report = &now.report;
        out.counter("accept_errors", "Failed calls of accept", None, report.accept_errors)?;
        out.counter("panics", "Panics of connections and of the end callback", None, report.panicked)?;
        let (used, most) = (now.shared_memory, now.max_shared_memory);
        out.gauge("shared_memory", "Memory beyond the connections' own parts, in use", Some(Unit::Bytes), used)?;
        out.gauge("shared_memory_limit", "Maximum of the shared memory", Some(Unit::Bytes), most)
    }
}

fn connections(out: &mut Writer<'_>, now: &MetricsSnapshot) -> fmt::Result {
    let report = &now.report;
    out.counter("connections_accepted", "Connections accepted, with refused ones", None, report.accepted)?;
    out.counter("connections_refused", "Connections accepted only to be refused", None, report.refused_connections)?;
    let open = [("served", now.open as u64), ("refused", now.refusing as u64)];
    out.family("connections_open", "Connections that are open", MetricType::Gauge, "kind", open)?;
    let ended = echo_core::End::NAMES.map(|name| (name, report.ended(name)));
    out.family("connections_ended", "Connections by their outcome", MetricType::Counter, "outcome", ended)?;
    let timed_out = echo_core::Deadline::ALL
        .map(|deadline| (deadline.name(), report.timed_out.get(&deadline).copied().unwrap_or_default()));
    let help = "Connections that timed out, by the deadline";
    out.family("connections_timed_out", help, MetricType::Counter, "deadline", timed_out)?;
    out.histogram("connection_duration", "How long connections lasted that have ended", &now.durations)?;
    out.gauge("draining", "1 if the server accepts no more connections", None, usize::from(now.draining))
}

fn requests(out: &mut Writer<'_>, now: &MetricsSnapshot) -> fmt::Result {
    let report = &now.report;
    let tally = report.requests;
    let fates = [("answered", tally.answered), ("refused", tally.refused), ("unknown", tally.unknown)];
    out.family("requests", "Requests of ended connections, by their fate", MetricType::Counter, "fate", fates)?;
    out.counter("requests_failed", "Requests answered with a failure", None, report.failed_requests)?;
    out.counter("messages", "Requests of ended connections with an answer queued", None, report.messages)?;
    out.counter("payload", "Payload of these answers", Some(Unit::Bytes), report.bytes)?;
    out.gauge("calls_running", "Calls of the service that run", None, now.running_calls)?;
    out.gauge("calls_waiting", "Calls of the service that wait for a place", None, now.waiting_calls)?;
    out.counter("calls", "Calls of the service that have ended", None, now.ended_calls)?;
    out.counter("calls_panicked", "Calls of the service that panicked", None, report.panicked_calls)
}

/// Writes metrics in the order of the calls.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter(&mut self, name: &str, help: &str, unit: Option<Unit>, value: u64) -> fmt::Result {
        let out = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        ConstCounter::new(value).encode(out)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, value: usize) -> fmt::Result {
        let out = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        ConstGauge::new(value as u64).encode(out)
    }

    /// Writes one counter or gauge for each value of a label.
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut out = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, count) in values {
            let labels = [(label, value)];
            let out = out.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(count).encode(out)?,
                _ => ConstGauge::new(count).encode(out)?,
            }
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, durations: &Durations) -> fmt::Result {
        let mut out = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let mut buckets: Vec<_> = durations.buckets().map(|(bound, count)| (bound.as_secs_f64(), count)).collect();
        let within: u64 = buckets.iter().map(|(_, count)| count).sum();
        buckets.push((f64::INFINITY, durations.count() - within));
        out.encode_histogram::<NoLabelSet>(durations.sum().as_secs_f64(), durations.count(), &buckets, None)
    }
}
