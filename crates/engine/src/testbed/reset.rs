//! Lets components forget what they keep in memory before a test: by a request of theirs, or by a new start.
//!
//! The request goes to the component itself, not through a seam: it is no part of any test.

use crate::run::step::reason;
use crate::testbed::Testbed;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one component may take to forget.
const WITHIN: Duration = Duration::from_secs(10);

impl Testbed {
    /// Resets all components that ask for it.
    pub(crate) async fn reset_components(self: &Arc<Self>) -> Result<(), String> {
        for (name, planned) in &self.system().components {
            if planned.declared.restart_each_test {
                self.restart(name)
                    .await
                    .map_err(|trouble| format!("restart `{name}`: {}", reason(trouble)))?;
            }
            if let Some(reset) = &planned.declared.reset {
                self.connections().close_idle();
                let failed = |why: String| format!("reset `{name}` with `{}`: {why}", reset.value);
                let door = self.own_door(name, planned).await.map_err(|error| failed(error.title))?;
                let Some((address, _tunnel)) = door else {
                    return Err(failed("it listens nowhere".to_owned()));
                };
                let asked = tokio::time::timeout(WITHIN, ask(address, reset));
                match asked.await {
                    Ok(Ok(status)) if (200..400).contains(&status) => {}
                    Ok(Ok(status)) => return Err(failed(format!("it answered {status}"))),
                    Ok(Err(error)) => return Err(failed(error.to_string())),
                    Err(_) => return Err(failed("no answer in time".to_owned())),
                }
            }
        }
        Ok(())
    }
}

/// Sends `POST /path` without a body and gives the status of the answer.
async fn ask(address: SocketAddr, request: &str) -> std::io::Result<u16> {
    let (method, path) = request.split_once(' ').unwrap_or(("POST", request));
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    // The status stands in the first line; a body of any size is of no interest.
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    let line = String::from_utf8_lossy(&answer);
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "it answered no HTTP"))
}
