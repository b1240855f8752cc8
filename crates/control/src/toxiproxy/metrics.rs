//! `GET /metrics`: how many bytes passed each proxy, in the text form of Prometheus.

use super::collection::Toxiproxy;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

impl Toxiproxy {
    /// All counters. A proxy that nothing has passed yet is not among them.
    pub(super) async fn metrics(&self) -> String {
        let proxies = self.proxies().await;
        let mut text = String::new();
        for counter in ["received", "sent"] {
            let name = format!("toxiproxy_proxy_{counter}_bytes_total");
            let mut lines = String::new();
            for proxy in proxies.values() {
                let counters = &proxy.counters;
                let (down, up) = match counter {
                    "received" => (&counters.received_downstream, &counters.received_upstream),
                    _ => (&counters.sent_downstream, &counters.sent_upstream),
                };
                for (direction, counted) in [("downstream", down), ("upstream", up)] {
                    let counted = AtomicU64::load(counted, Ordering::Relaxed);
                    if counted > 0 {
                        let (listener, proxy_name, upstream) =
                            (label(&proxy.listen), label(&proxy.name), label(&proxy.upstream));
                        let _ = writeln!(
                            lines,
                            "{name}{{direction=\"{direction}\",listener=\"{listener}\",proxy=\"{proxy_name}\",upstream=\"{upstream}\"}} {counted}"
                        );
                    }
                }
            }
            if !lines.is_empty() {
                let _ = write!(text, "# HELP {name} \n# TYPE {name} counter\n{lines}");
            }
        }
        text
    }
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
