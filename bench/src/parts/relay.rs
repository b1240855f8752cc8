//! The floor of all relays: tokio's own copying both ways, and nothing else, on one thread.

use super::{Started, Upstream};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Bytes copied at once.
const CHUNK: usize = 64 * 1024;

/// Starts it on a free port.
pub(crate) fn start(words: &[String]) -> std::io::Result<Started> {
    let upstream = Upstream::read(words.first())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || runtime.block_on(serve(listener, upstream)));
    Ok((address, Box::new(())))
}

async fn serve(listener: TcpListener, upstream: Upstream) {
    while let Ok((stream, _)) = listener.accept().await {
        let upstream = upstream.clone();
        tokio::spawn(async move { pass(stream, &upstream).await });
    }
}

async fn pass(mut consumer: TcpStream, upstream: &Upstream) -> std::io::Result<()> {
    consumer.set_nodelay(true)?;
    match upstream {
        Upstream::Tcp(address) => {
            let mut provider = TcpStream::connect(address).await?;
            provider.set_nodelay(true)?;
            copy_bidirectional_with_sizes(&mut consumer, &mut provider, CHUNK, CHUNK).await?;
        }
        Upstream::Unix(path) => {
            let mut provider = UnixStream::connect(path).await?;
            copy_bidirectional_with_sizes(&mut consumer, &mut provider, CHUNK, CHUNK).await?;
        }
    }
    Ok(())
}
