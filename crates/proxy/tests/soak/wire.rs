//! A socket to be read in lines and lengths, while something is written to it.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, split};

/// What bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection of a client.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// What comes.
pub(crate) struct Reader<'a> {
    half: ReadHalf<&'a mut Box<dyn Stream>>,
    buffer: &'a mut Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    /// Says something, and meanwhile reads what comes.
    pub(crate) async fn say<T>(
        &mut self,
        bytes: &[u8],
        read: impl AsyncFnOnce(&mut Reader<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let (half, mut to) = split(&mut self.stream);
        let mut reader = Reader { half, buffer: &mut self.buffer };
        let writing = async {
            to.write_all(bytes).await?;
            to.flush().await
        };
        let (got, ()) = tokio::try_join!(read(&mut reader), writing)?;
        Ok(got)
    }
}

impl Reader<'_> {
    async fn more(&mut self) -> io::Result<()> {
        if self.half.read_buf(self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    pub(crate) async fn exactly(&mut self, n_bytes: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < n_bytes {
            self.more().await?;
        }
        let rest = self.buffer.split_off(n_bytes);
        Ok(std::mem::replace(self.buffer, rest))
    }

    /// Up to this, which is read and left out.
    pub(crate) async fn up_to(&mut self, end: &[u8]) -> io::Result<String> {
        let mut from = 0;
        let at = loop {
            let found = self.buffer[from..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                break from + at;
            }
            from = self.buffer.len().saturating_sub(end.len() - 1);
            self.more().await?;
        };
        let mut line = self.exactly(at + end.len()).await?;
        line.truncate(at);
        String::from_utf8(line).map_err(|_| wrong("no text"))
    }

    pub(crate) async fn line(&mut self) -> io::Result<String> {
        self.up_to(b"\r\n").await
    }
}

/// Something came that can't be.
pub(crate) fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
