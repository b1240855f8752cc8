//! Passes requests of HTTP/1.1 on to the external, and its answers back, one consumer's connection at a time. One on which
//! HTTP/2 is spoken is [another matter](two).

use super::body::{Answer, Progress, Sent, why};
use super::dial::Dialled;
use super::fate::{ConsumerSocket, Fate};
use super::pool::{Link, Return};
use super::rewrite::asked_for;
use super::{Far, tunnel, two, until_over};
use crate::reach::ExternalError;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::Builder as ClientBuilder;
use hyper::header::{EXPECT, UPGRADE};
use hyper::server::conn::http1::Builder as ServerBuilder;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Headers that a request or an answer may have: more than any server takes that we know.
const MOST_HEADERS: usize = 1024;

/// Why a consumer's connection ends without an answer; whoever is to hear of it has been told.
#[derive(Debug, thiserror::Error)]
#[error("there is no answer")]
struct Unanswered;

/// Why a request has no answer.
enum Failed {
    /// The external failed.
    External(ExternalError),
    /// The consumer went away before it had sent its request.
    Consumer,
    /// The connection was gone before anything of the request was sent; here it is again.
    Unsent(Box<Request<Sent>>),
}

/// Serves one connection of a consumer until it ends. The task is dropped with it when the consumer goes away, and so
/// is what the external was asked.
pub(super) async fn serve(stream: TcpStream, far: Arc<Far>) {
    let fate = Fate::default();
    let mut consumer = ConsumerSocket::new(stream, fate.clone());
    if two::is_spoken(&mut consumer).await {
        return two::serve(consumer, fate, far).await;
    }
    let service = service_fn(|request| exchange(request, Arc::clone(&far), fate.clone()));
    let serving = ServerBuilder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        // An idle consumer may stay; it ends with its component.
        .header_read_timeout(None)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(consumer), service)
        .with_upgrades();
    // An error is the consumer's, or has been told.
    let _ = serving.await;
}

/// One request with its answer.
async fn exchange(
    mut request: Request<Incoming>,
    far: Arc<Far>,
    fate: Fate,
) -> Result<Response<Answer>, Unanswered> {
    let came_to = far.own.outward(&mut request);
    if let Some(permit) = &far.permit
        && let Err(reason) = permit(request.method().as_str(), asked_for(&request))
    {
        fate.reset();
        (far.told)(&ExternalError::NotAllowed { reason });
        return Err(Unanswered);
    }
    let is_connect = request.method() == Method::CONNECT;
    let upgrade =
        (is_connect || request.headers().contains_key(UPGRADE)).then(|| hyper::upgrade::on(&mut request));
    let mut response = match ask(&far, request).await {
        Ok(response) => response,
        Err(Failed::External(error)) => {
            fate.follow(&error);
            (far.told)(&error);
            return Err(Unanswered);
        }
        Err(Failed::Consumer | Failed::Unsent(_)) => {
            fate.reset();
            return Err(Unanswered);
        }
    };
    *response.version_mut() = Version::HTTP_11;
    far.own.homeward(&mut response, came_to.as_ref());
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS
        || (is_connect && response.status().is_success());
    if let Some(consumer) = upgrade.filter(|_| upgraded) {
        join(consumer, hyper::upgrade::on(&mut response), &far, fate.clone());
    }
    Ok(response.map(|body| body.with(fate)))
}

/// Lets both sides of an upgraded connection send what they will.
fn join(consumer: OnUpgrade, external: OnUpgrade, far: &Far, fate: Fate) {
    let tunnel = async move {
        let (Ok(consumer), Ok(external)) = tokio::join!(consumer, external) else { return };
        tunnel::join(TokioIo::new(consumer), TokioIo::new(external), &fate).await;
    };
    tokio::spawn(until_over(far.over.clone(), tunnel));
}

/// Sends a request over a connection that is free, or else a new one.
async fn ask(far: &Arc<Far>, request: Request<Incoming>) -> Result<Response<Answer>, Failed> {
    let (parts, body) = request.into_parts();
    let again = (parts.method.is_idempotent() && body.is_end_stream()).then(|| parts.clone());
    let progress = Progress::begin();
    let mut request = Request::from_parts(parts, Sent::new(Some(body), &progress));
    if request
        .headers()
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        request = held_back(request);
    }
    if let Some(link) = far.pool.take_soon(again.is_some()).await {
        match send(far, link, request, &progress).await {
            Err(Failed::Unsent(unsent)) => request = *unsent,
            // The external closed a connection that nobody had used for a while, which is its right.
            Err(Failed::External(ExternalError::Closed { .. } | ExternalError::Reset { .. }))
                if again.is_some() =>
            {
                let parts = again.expect("it was looked at just now");
                request = Request::from_parts(parts, Sent::new(None, &progress));
            }
            sent => return sent,
        }
    }
    let link = open(far).await.map_err(Failed::External)?;
    match send(far, link, request, &progress).await {
        Err(Failed::Unsent(_)) => Err(Failed::External(ExternalError::Closed { when: BEFORE })),
        sent => sent,
    }
}

const BEFORE: &str = "before it answered";

/// Holds the body of a request back until the external says that it wants it.
fn held_back(request: Request<Sent>) -> Request<Sent> {
    let (tell, told) = oneshot::channel();
    let mut request = request.map(|body| body.held_until(told));
    let tell = Mutex::new(Some(tell));
    hyper::ext::on_informational(&mut request, move |interim| {
        if interim.status() == StatusCode::CONTINUE
            && let Some(tell) = tell.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            // Nobody waits any more where it was sent unasked.
            let _ = tell.send(());
        }
    });
    request
}

/// A new connection, driven by a task of its own.
async fn open(far: &Arc<Far>) -> Result<Link, ExternalError> {
    let Dialled { stream, socket } = far.dialler.dial().await?;
    let (sender, connection) = ClientBuilder::new()
        .preserve_header_case(true)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| why(&error, BEFORE))?;
    // Its errors come out where an answer is waited for.
    let driving = async {
        let _ = connection.with_upgrades().await;
    };
    tokio::spawn(until_over(far.over.clone(), driving));
    Ok(Link { sender, socket })
}

/// Sends a request and waits for the head of its answer. The connection is kept once the answer has ended.
async fn send(
    far: &Arc<Far>,
    mut link: Link,
    request: Request<Sent>,
    progress: &Progress,
) -> Result<Response<Answer>, Failed> {
    let within = far.patience.answer;
    let answered = {
        let mut answering = std::pin::pin!(link.sender.try_send_request(request));
        loop {
            let deadline = progress.last() + within;
            match timeout_at(deadline, &mut answering).await {
                Ok(answered) => break answered,
                // More of the request has been sent in the meantime.
                Err(_) if progress.last() + within > Instant::now() => {}
                Err(_) => {
                    let what = "its answer".to_owned();
                    return Err(Failed::External(ExternalError::Slow { what, within }));
                }
            }
        }
    };
    match answered {
        Ok(response) => {
            let returning = Return::begin(far, link);
            Ok(response.map(|body| Answer::new(body, Arc::clone(far), returning)))
        }
        Err(mut unanswered) => match unanswered.take_message() {
            Some(unsent) => Err(Failed::Unsent(Box::new(unsent))),
            None if unanswered.error().is_user() => Err(Failed::Consumer),
            None => Err(Failed::External(why(unanswered.error(), BEFORE))),
        },
    }
}
