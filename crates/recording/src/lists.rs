//! Headers that are known to vary from one request to the next, or from one client to another, and say nothing of what
//! was asked or answered.

/// Of the connection and not of the message: they are not recorded at all.
pub(crate) const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade-insecure-requests",
];

/// In requests and in replies.
const KNOWN_TO_VARY: &[&str] = &[
    // The moment and the machine.
    "age",
    "date",
    "expires",
    "last-modified",
    "server",
    "server-timing",
    "user-agent",
    "via",
    "x-powered-by",
    "x-process-time",
    "x-response-time",
    "x-runtime",
    // The client's library.
    "accept-encoding",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    // Who stood in between.
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-ray",
    "x-cache",
    "x-served-by",
    "x-timer",
    // This request among all others.
    "correlation-id",
    "request-id",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-correlation-id",
    "x-ms-request-id",
    "x-request-id",
    "x-request-start",
    "x-trace-id",
    // Traces.
    "b3",
    "baggage",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-cloud-trace-context",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "x-datadog-trace-id",
    "sentry-trace",
    // Signatures over a time.
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-hub-signature",
    "x-hub-signature-256",
    "stripe-signature",
    // Budgets of calls.
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    // Once per request by its own definition.
    "idempotency-key",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "etag",
    "if-none-match",
    "if-modified-since",
];

/// Is this header known to vary? Names are in small letters.
pub(crate) fn varies(name: &str) -> bool {
    KNOWN_TO_VARY.contains(&name)
}

/// Headers of requests that are sent again although they vary.
const SENT_ALL_THE_SAME: &[&str] = &["idempotency-key", "if-none-match", "if-modified-since"];

/// Is this a header of a request that a driver does not send again? Names are in small letters.
pub(crate) fn is_left_out(name: &str) -> bool {
    varies(name) && !SENT_ALL_THE_SAME.contains(&name)
}
