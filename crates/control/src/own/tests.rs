//! The description of our API is true: each operation that stands there is answered as it says, and no other is.

use super::{OPENAPI, Own};
use crate::Seams;
use crate::answer::Asked;
use bytes::Bytes;
use hyper::header::HeaderMap;
use seam_diag::{Diagnostics, Sources};
use seam_expr::Chance;
use seam_stub::Surroundings;
use seam_stub::wiremock::WireMock;
use seam_value::Value;
use std::sync::Arc;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn status(own: &Own, method: &str, path: &str) -> u16 {
    let asked = Asked {
        method: method.to_ascii_uppercase().parse().unwrap(),
        path: path.replace("{id}", "1").replace("{name}", "web").replace("{verb}", "stop"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    own.answer(&asked).await.unwrap().status.as_u16()
}

fn around() -> Surroundings {
    Surroundings {
        chance: Chance::new(1, "test"),
        now: jiff::Timestamp::now,
        env: Box::new(|_| None),
        file: Box::new(|_| Err("there is none".to_owned())),
        hostname: "here".to_owned(),
    }
}

#[tokio::test]
async fn the_description_is_true() {
    let mut found = Diagnostics::default();
    let file = Sources::default().add("openapi.yaml", OPENAPI.to_owned());
    let described = seam_manifest::parse(file, OPENAPI, &mut found).unwrap().to_value();
    assert!(!found.has_errors());
    let seams = Seams::start(around());
    let wiremock = WireMock::new(around(), Box::new(|_| Err("there is none".to_owned())));
    let own = Own::new(Arc::new(seams.unwrap()), Arc::new(wiremock));
    let paths = described.get("paths").and_then(Value::as_map).unwrap();
    assert_eq!(paths.len(), 10);
    for (path, operations) in paths {
        for method in METHODS {
            let status = status(&own, method, path).await;
            let Some(operation) = operations.get(method) else {
                assert!(
                    matches!(status, 404 | 405),
                    "{method} {path} is answered with {status}, and not described"
                );
                continue;
            };
            let responses = operation.get("responses").and_then(Value::as_map).unwrap();
            assert!(responses.contains_key(&status.to_string()), "{method} {path} is answered with {status}");
            assert_ne!(status, 405, "{method} {path}");
        }
    }
}
