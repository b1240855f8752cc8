//! Works a request out, sends it, and follows where the answer leads if the step wants that.

use super::address::{self, Place};
use super::answer::{self, Received};
use super::content::{Content, Files, pairs};
use super::link::{Answer, Broken, Link};
use super::link2::Link2;
use super::{ContentInput, Follow, Headers, HttpAction, MOST_REDIRECTS, Method, Version};
use crate::action::{StepContext, Trouble};
use crate::files;
use crate::socket::seen;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body_util::Full;
use indexmap::IndexMap;
use seam_event::InteractionError;
use seam_value::Value;
use tokio::time::{Instant, timeout_at};

/// A request, all of it known but where the next redirect leads.
struct Request {
    method: http::Method,
    place: Place,
    headers: HeaderMap,
    cookies: IndexMap<String, String>,
    content: Content,
}

/// Sends the request of a step.
pub(super) async fn send(action: &HttpAction, cx: &StepContext<'_>) -> Result<Value, Trouble> {
    let mut request = Request::of(action, cx)?;
    let began = Instant::now();
    let mut left = match action.follow {
        Follow::Some(most) => most,
        Follow::All => MOST_REDIRECTS,
    };
    loop {
        let (answer, broken) = exchange(&request, action.version, cx).await;
        if let Some(answer) = &answer {
            keep_cookies(answer, &request.place, cx);
            if let (Some(location), None) = (answer::location(answer), &broken) {
                if left > 0 {
                    left -= 1;
                    request.redirect(answer.head.status, location, cx)?;
                    continue;
                }
                if action.follow == Follow::All {
                    let reason = format!("redirected {MOST_REDIRECTS} times, and then to `{location}`");
                    return Err(Trouble::failed(reason));
                }
            }
        }
        let place = &request.place;
        let received =
            Received { url: place.url(), cookies: cx.actor.cookies(&place.host), elapsed: began.elapsed() };
        return answer::result(answer.as_ref(), broken.as_ref(), received);
    }
}

/// One request with its answer, over a connection that is free or a new one.
async fn exchange(
    request: &Request,
    version: Version,
    cx: &StepContext<'_>,
) -> (Option<Answer>, Option<Broken>) {
    let work = async {
        let done = match version {
            Version::One => over_one(request, cx).await,
            Version::Two => over_two(request, cx).await,
        };
        match done {
            Ok(mut answer) => {
                let broken = answer.broke_off.take();
                (Some(answer), broken)
            }
            Err(broken) => (None, Some(broken)),
        }
    };
    timeout_at(cx.deadline, work).await.unwrap_or((None, Some(Broken::Seen(InteractionError::Timeout))))
}

async fn over_one(request: &Request, cx: &StepContext<'_>) -> Result<Answer, Broken> {
    let (socket, pool) = (request.place.socket, &cx.actor.links.one);
    let free = std::iter::from_fn(|| pool.take(&socket)).find(Link::is_fresh);
    let link = match free {
        Some(link) => link,
        None => Link::open(socket).await.map_err(|error| Broken::Seen(seen(&error)))?,
    };
    let (result, link) = link.exchange(request.build(cx)).await;
    if let Some(link) = link {
        pool.put(socket, link);
    }
    result
}

async fn over_two(request: &Request, cx: &StepContext<'_>) -> Result<Answer, Broken> {
    let (socket, pool) = (request.place.socket, &cx.actor.links.two);
    let free = std::iter::from_fn(|| pool.take(&socket)).find(Link2::is_fresh);
    let link = match free {
        Some(link) => link,
        None => Link2::open(socket).await.map_err(|error| Broken::Seen(seen(&error)))?,
    };
    let (result, link) = link.exchange(request.build(cx)).await;
    if let Some(link) = link {
        pool.put(socket, link);
    }
    result
}

impl Request {
    fn of(action: &HttpAction, cx: &StepContext<'_>) -> Result<Self, Trouble> {
        let method = match &action.method {
            Method::Fixed(method) => method.clone(),
            Method::Variable(variable) => {
                let text = variable.value(cx.names)?.to_plain_text().to_ascii_uppercase();
                http::Method::from_bytes(text.as_bytes()).map_err(|_| {
                    Trouble::failed(format!("`{text}` is no method of HTTP")).at(variable.span())
                })?
            }
        };
        let mut place = action.address.place(cx)?;
        if let Some(path) = &action.path {
            let text = path.text(cx.names)?;
            place = with_path(place, &text, cx).map_err(|trouble| trouble.at(path.span()))?;
        }
        if let Some(query) = &action.query {
            place.add_query(&pairs(&query.value(cx.names)?));
        }
        let content = content(&action.content, action, cx)?;
        let (headers, mut cookies) = headers(action, &content, cx)?;
        for input in &action.cookies {
            for (name, value) in input.value(cx.names)?.as_map().into_iter().flatten() {
                cookies.insert(name.clone(), value.to_plain_text());
            }
        }
        Ok(Self { method, place, headers, cookies, content })
    }

    /// Puts it into hyper's form, with the cookies that belong there.
    fn build(&self, cx: &StepContext<'_>) -> http::Request<Full<bytes::Bytes>> {
        let mut request = http::Request::new(Full::new(self.content.bytes.clone()));
        *request.method_mut() = self.method.clone();
        let path = format!("{}{}", self.place.base, self.place.path);
        // What is no address was encoded when it was put together.
        *request.uri_mut() = path.parse().unwrap_or_default();
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        if !headers.contains_key(header::HOST)
            && let Ok(host) = HeaderValue::from_str(&self.place.socket.to_string())
        {
            headers.insert(header::HOST, host);
        }
        let mut cookies: IndexMap<String, String> =
            cx.actor.cookies_for(&self.place.host, self.place.path_only()).into_iter().collect();
        cookies.extend(self.cookies.clone());
        if !cookies.is_empty() && !headers.contains_key(header::COOKIE) {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if let Ok(value) = HeaderValue::from_bytes(pairs.join("; ").as_bytes()) {
                headers.insert(header::COOKIE, value);
            }
        }
        request
    }

    /// Becomes the request that a redirect asks for (RFC 9110, 15.4; with POST as browsers do it).
    fn redirect(
        &mut self,
        status: http::StatusCode,
        location: &str,
        cx: &StepContext<'_>,
    ) -> Result<(), Trouble> {
        let next = if location.starts_with("//") {
            address::whole(&format!("http:{location}"), cx)
        } else if location.contains("://") {
            address::whole(location, cx)
        } else {
            let joined = url::Url::parse(&self.place.url()).and_then(|base| base.join(location));
            let joined =
                joined.map_err(|error| Trouble::failed(format!("redirected to `{location}`: {error}")))?;
            address::whole(joined.as_str(), cx)
        };
        let next = next.map_err(|trouble| match trouble {
            Trouble::Failed { reason, span } => {
                Trouble::Failed { reason: format!("redirected to `{location}`: {reason}"), span }
            }
            other => other,
        })?;
        let becomes_get = match status.as_u16() {
            303 => self.method != http::Method::HEAD,
            301 | 302 => self.method == http::Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = http::Method::GET;
            self.content = Content::default();
            self.headers.remove(header::CONTENT_TYPE);
        }
        // Who is somebody else must not be told how to sign in here.
        if (&next.component, &next.endpoint) != (&self.place.component, &self.place.endpoint) {
            self.headers.remove(header::AUTHORIZATION);
            self.headers.remove(header::COOKIE);
            self.cookies.clear();
        }
        self.place = next.rooted();
        Ok(())
    }
}

/// The component of the address with a path that something gave.
fn with_path(place: Place, text: &str, cx: &StepContext<'_>) -> Result<Place, Trouble> {
    if text.contains("://") {
        return address::whole(text, cx).map(Place::rooted);
    }
    if !text.starts_with('/') {
        return Err(Trouble::failed(format!("`{text}` is no path: one begins with `/`")));
    }
    let mut path = String::new();
    address::push_fixed(text, &mut path);
    Ok(Place { path, ..place })
}

/// All headers, and the cookies of the sign-in.
fn headers(
    action: &HttpAction,
    content: &Content,
    cx: &StepContext<'_>,
) -> Result<(HeaderMap, IndexMap<String, String>), Trouble> {
    let signed_in = cx.actor.signed_in();
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("seamwork"));
    if let Some(media) = &content.media
        && let Ok(value) = HeaderValue::from_str(media)
    {
        headers.insert(header::CONTENT_TYPE, value);
    }
    for (name, value) in &signed_in.headers {
        set(&mut headers, name, &Value::text(value))?;
    }
    if let Some(authorization) = &action.authorization {
        set(&mut headers, "authorization", &Value::Text(authorization.value(cx.names)?))?;
    }
    for more in &action.headers {
        match more {
            Headers::Named(inputs) => {
                for (name, input) in inputs.iter() {
                    set(&mut headers, name, &input.value(cx.names)?)
                        .map_err(|trouble| trouble.at(input.span()))?;
                }
            }
            Headers::Variable(input) => {
                for (name, value) in input.value(cx.names)?.as_map().into_iter().flatten() {
                    set(&mut headers, name, value).map_err(|trouble| trouble.at(input.span()))?;
                }
            }
        }
    }
    Ok((headers, signed_in.cookies))
}

/// Sets a header; a list sends it several times, null takes it away.
fn set(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Trouble> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Trouble::failed(format!("`{name}` can't be the name of a header")))?;
    headers.remove(&name);
    let values = match value {
        Value::Null => &[],
        Value::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for value in values {
        let text = value.to_plain_text();
        let value = HeaderValue::from_bytes(text.as_bytes())
            .map_err(|_| Trouble::failed(format!("a line break can't stand in the header `{name}`")))?;
        headers.append(name.clone(), value);
    }
    Ok(())
}

fn content(input: &ContentInput, action: &HttpAction, cx: &StepContext<'_>) -> Result<Content, Trouble> {
    let read = |path: &str| files::read(&files::resolve(path, cx.bench.root(), &action.folder), path);
    Ok(match input {
        ContentInput::Nothing => Content::default(),
        ContentInput::Json(input) => Content::json(&input.value(cx.names)?),
        ContentInput::Form(input) => Content::form(&input.value(cx.names)?),
        ContentInput::Multipart(input) => Content::multipart(&input.value(cx.names)?, &Files { read: &read })
            .map_err(|trouble| trouble.at(input.span()))?,
        ContentInput::Text(input) => Content::text(input.text(cx.names)?),
        ContentInput::Xml(input) => Content::xml(input.text(cx.names)?),
        ContentInput::File(input) => {
            let path = input.text(cx.names)?;
            Content::file(&path, read(&path).map_err(|trouble| trouble.at(input.span()))?)
        }
    })
}

fn keep_cookies(answer: &Answer, place: &Place, cx: &StepContext<'_>) {
    for value in answer.head.headers.get_all(header::SET_COOKIE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        cx.actor.keep_cookie(&place.host, place.path_only(), &text);
    }
}
