//! What a template sees of a request.

use super::item::Item;
use crate::wiremock::request::{Pairs, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::Value;

/// The model of a response's template: `request` and `parameters`.
pub(crate) fn model(
    id: &str,
    request: &Request,
    path_values: Option<Vec<(String, String)>>,
    parameters: &Value,
) -> Item {
    Item::Map(vec![
        ("request".to_owned(), of(id, request, path_values)),
        ("parameters".to_owned(), Item::Value(parameters.clone())),
    ])
}

/// The model of a webhook's template: `originalRequest` and `parameters`.
pub(crate) fn webhook_model(id: &str, request: &Request, parameters: &Value) -> Item {
    Item::Map(vec![
        ("originalRequest".to_owned(), of(id, request, None)),
        ("parameters".to_owned(), Item::Value(parameters.clone())),
    ])
}

fn of(id: &str, request: &Request, path_values: Option<Vec<(String, String)>>) -> Item {
    let path = path(request, path_values);
    let text = |name: &str, text: &str| (name.to_owned(), Item::text(text));
    let port = i64::from(request.port);
    let usual = if request.scheme == "https" { 443 } else { 80 };
    let base = if port == usual || port < 0 {
        format!("{}://{}", request.scheme, request.host)
    } else {
        format!("{}://{}:{port}", request.scheme, request.host)
    };
    let mut line = vec![
        ("method".to_owned(), Item::Method(request.method.clone())),
        ("path".to_owned(), path.clone()),
        ("pathSegments".to_owned(), path),
        text("url", &request.url),
        ("query".to_owned(), pairs(request.query())),
        text("scheme", &request.scheme),
        text("host", &request.host),
        ("port".to_owned(), Item::integer(port)),
        text("baseUrl", &base),
        text("clientIp", &request.client_ip),
    ];
    let mut all = line.clone();
    all.push(("requestLine".to_owned(), Item::Map(std::mem::take(&mut line))));
    all.extend([
        text("id", id),
        ("headers".to_owned(), headers(request)),
        ("cookies".to_owned(), pairs(&request.cookies())),
        text("body", &request.text()),
        text("bodyAsBase64", &STANDARD.encode(request.bytes())),
        ("multipart".to_owned(), Item::flag(request.is_multipart())),
        ("binary".to_owned(), Item::flag(std::str::from_utf8(request.bytes()).is_err())),
        ("parts".to_owned(), parts(request)),
    ]);
    Item::Map(all)
}

fn path(request: &Request, values: Option<Vec<(String, String)>>) -> Item {
    let text = request.path().to_owned();
    let segments = text.split('/').filter(|segment| !segment.is_empty());
    let mut parts: Vec<(String, Item)> =
        segments.enumerate().map(|(index, segment)| (index.to_string(), Item::text(segment))).collect();
    parts.extend(values.into_iter().flatten().map(|(name, value)| (name, Item::text(value))));
    Item::Path { text, parts }
}

fn pairs(pairs: &Pairs) -> Item {
    let many = |values: &Vec<String>| Item::Many(values.iter().map(Item::text).collect());
    Item::Map(pairs.iter().map(|(name, values)| (name.clone(), many(values))).collect())
}

fn headers(request: &Request) -> Item {
    let mut all: Vec<(String, Item)> = Vec::new();
    for (name, _) in &request.headers {
        if !all.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            let values = request.header_values(name).into_iter().map(Item::text).collect();
            all.push((name.clone(), Item::Many(values)));
        }
    }
    all.sort_by_key(|(name, _)| name.to_lowercase());
    Item::Headers(all)
}

fn parts(request: &Request) -> Item {
    if !request.is_multipart() {
        return Item::Map(Vec::new());
    }
    let all = request.parts().iter().enumerate().map(|(index, part)| {
        let name = part.name.clone().unwrap_or_else(|| format!("part-{index}"));
        let headers = part.headers.iter().map(|(name, _)| {
            (name.clone(), Item::Many(part.header_values(name).into_iter().map(Item::text).collect()))
        });
        let item = Item::Map(vec![
            ("name".to_owned(), Item::text(&name)),
            ("headers".to_owned(), Item::Headers(headers.collect())),
            ("body".to_owned(), Item::text(part.text())),
            ("bodyAsBase64".to_owned(), Item::text(STANDARD.encode(&part.body))),
            ("binary".to_owned(), Item::flag(std::str::from_utf8(&part.body).is_err())),
        ]);
        (name, item)
    });
    Item::Map(all.collect())
}
