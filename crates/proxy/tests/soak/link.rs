//! The link between the seam and its server: passes bytes, can be cut, and knows when the seam has ended it.

use socket2::SockRef;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Rst,
    Fin,
}

impl Cut {
    /// To be said before the socket is dropped.
    pub(crate) fn prepare(self, stream: &TcpStream) {
        if self == Self::Rst {
            SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

/// One connection, as seen from both its ends.
#[derive(Default)]
pub(crate) struct Link {
    /// The client is to cut it.
    pub(crate) cut_client: Notify,
    /// The server's side is to cut it.
    cut_server: Notify,
    how: Cell<Option<Cut>>,
    /// When the server's side was cut.
    pub(crate) server_was_cut: Cell<Option<Instant>>,
    /// The client has cut it.
    pub(crate) client_was_cut: Cell<bool>,
    /// When the seam ended it.
    pub(crate) ended: Cell<Option<Instant>>,
    pub(crate) told_end: Notify,
}

impl Link {
    pub(crate) fn cut_server(&self, how: Cut) {
        self.how.set(Some(how));
        self.cut_server.notify_one();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.server_was_cut.get().is_some() || self.client_was_cut.get() || self.how.get().is_some()
    }
}

/// All links.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) address: SocketAddr,
    /// Those that are open, the newest last.
    pub(crate) open: Rc<RefCell<Vec<Rc<Link>>>>,
    pub(crate) came: Rc<Notify>,
    newest: Rc<RefCell<Option<Rc<Link>>>>,
}

impl Links {
    pub(crate) async fn listen(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let links = Self {
            address: listener.local_addr().unwrap(),
            open: Rc::default(),
            came: Rc::default(),
            newest: Rc::default(),
        };
        let all = links.clone();
        tokio::task::spawn_local(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let link = Rc::new(Link::default());
                all.open.borrow_mut().push(Rc::clone(&link));
                *all.newest.borrow_mut() = Some(Rc::clone(&link));
                all.came.notify_one();
                let all = all.clone();
                tokio::task::spawn_local(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        pass(stream, server, &link).await;
                    }
                    all.open.borrow_mut().retain(|other| !Rc::ptr_eq(other, &link));
                });
            }
        });
        links
    }

    /// The link of the connection that was just made: only one is made at a time.
    pub(crate) async fn newest(&self) -> Option<Rc<Link>> {
        let came = async {
            loop {
                if let Some(link) = self.newest.borrow_mut().take() {
                    return link;
                }
                self.came.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), came).await.ok()
    }
}

async fn pass(mut seam: TcpStream, mut server: TcpStream, link: &Link) {
    for stream in [&seam, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let is_cut = {
        let (mut from_seam, mut to_seam) = seam.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let n_read = from_seam.read(&mut buffer).await.unwrap_or(0);
                if n_read == 0 {
                    link.ended.set(Some(Instant::now()));
                    link.told_end.notify_one();
                    let _ = to_server.shutdown().await;
                    return;
                }
                if to_server.write_all(&buffer[..n_read]).await.is_err() {
                    return;
                }
            }
        };
        let down = async {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let n_read = from_server.read(&mut buffer).await.unwrap_or(0);
                if n_read == 0 || to_seam.write_all(&buffer[..n_read]).await.is_err() {
                    let _ = to_seam.shutdown().await;
                    return;
                }
            }
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(up, down) } => false,
            () = link.cut_server.notified() => true,
        }
    };
    if is_cut && let Some(how) = link.how.get() {
        how.prepare(&seam);
    }
    drop(seam);
    if is_cut {
        link.server_was_cut.set(Some(Instant::now()));
    }
}
