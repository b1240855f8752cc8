//! One connection of one seam: bytes both ways, looked at after they were written.
//!
//! Both directions are one task on one thread. A direction waits until it can read, reads into a buffer that
//! all connections share, writes at once, and only what the receiver would not take is copied and waited for.
//! While it waits nothing more is read: that is the backpressure, and the reason why no memory grows.

use crate::socket::Socket;
#[cfg(target_os = "linux")]
use crate::splice::pass_bulk;
use crate::switch::{Stance, Switch};
use crate::tap::{Opening, Tap};
use seam_wire::{Direction, End};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

/// Bytes read at once. One buffer of this size serves all connections of the thread.
const CHUNK: usize = 64 * 1024;

/// Larger pieces fill segments, which no kernel holds back.
const SMALL: usize = 16 * 1024;

/// The buffer that all connections of the proxy's thread read into.
pub(crate) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Makes that buffer.
pub(crate) fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; CHUNK].into_boxed_slice()))
}

/// How a whole connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Both sides closed in order.
    Closed,
    /// One side reset it, and the other was reset too.
    Reset,
}

/// What was left of passing bytes when the connection came to be held: of each direction, the consumer's first.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What was read and seen, and has not been written.
    pub(crate) unwritten: [Vec<u8>; 2],
    /// Has its sender ended it, and was that passed on?
    pub(crate) has_ended: [bool; 2],
}

/// What became of passing bytes both ways.
pub(crate) enum Passed {
    /// The connection is over.
    Over(Over),
    /// It is to be held from here on.
    ToBeHeld(Left),
    /// The consumer speaks TLS from here on, and has sent these bytes of it.
    ToBeEncrypted(Vec<u8>),
}

/// Passes bytes both ways until both directions have ended, one side resets the connection, or it is to be held.
pub(crate) async fn relay(
    (consumer, provider): (&Socket, &Socket),
    tap: &RefCell<Tap>,
    scratch: &Scratch,
    switch: &Switch,
) -> Passed {
    let up = pass(Direction::ToProvider, (consumer, provider), (tap, switch), scratch);
    let down = pass(Direction::ToConsumer, (provider, consumer), (tap, switch), scratch);
    match tokio::try_join!(up, down) {
        Ok((Done::Ended, Done::Ended)) => Passed::Over(Over::Closed),
        Ok((up, down)) => {
            let has_ended = [&up, &down].map(|done| matches!(done, Done::Ended));
            let unwritten = [up, down].map(|done| match done {
                Done::Ended => Vec::new(),
                Done::Paused(unwritten) => unwritten,
            });
            Passed::ToBeHeld(Left { unwritten, has_ended })
        }
        Err(Stop::Encrypt(early)) => Passed::ToBeEncrypted(early),
        Err(Stop::Reset) => {
            consumer.reset_on_close();
            provider.reset_on_close();
            Passed::Over(Over::Reset)
        }
    }
}

/// How a direction stopped passing.
enum Done {
    /// Its sender has ended it.
    Ended,
    /// It is to be held. These bytes were read and seen, and not written.
    Paused(Vec<u8>),
}

/// Why there is no other direction any more.
enum Stop {
    /// One side reset the connection.
    Reset,
    /// The consumer speaks TLS, and has sent these bytes of it.
    Encrypt(Vec<u8>),
}

/// Passes one direction until its sender ends it.
async fn pass(
    direction: Direction,
    (from, to): (&Socket, &Socket),
    (tap, switch): (&RefCell<Tap>, &Switch),
    scratch: &Scratch,
) -> Result<Done, Stop> {
    loop {
        let stance = switch.stance(direction, &tap.borrow());
        match stance {
            Stance::Pass(_) => {}
            Stance::Stop => return Ok(Done::Paused(Vec::new())),
            Stance::Wait(until) => {
                tokio::select! {
                    () = switch.changed() => {}
                    () = tokio::time::sleep_until(until) => {}
                    () = from.broken() => return reset(direction, tap),
                }
                continue;
            }
        }
        match readable(from, switch).await {
            Some(Ok(())) => {}
            Some(Err(_)) => return reset(direction, tap),
            None => continue,
        }
        let Stance::Pass(most) = switch.stance(direction, &tap.borrow()) else { continue };
        let read = {
            let mut buffer = scratch.borrow_mut();
            pass_once(direction, (from, to), (tap, switch), &mut buffer[..most.min(CHUNK)])
        };
        let (rest, comes_in_bulk) = match read {
            Read::Passed { rest, n_read } => (rest, n_read == CHUNK),
            Read::Nothing => continue,
            Read::End => return Ok(Done::Ended),
            Read::Broken(sender) => return reset(sender, tap),
            Read::Encrypt(early) => return Err(Stop::Encrypt(early)),
        };
        if rest.is_empty() && !comes_in_bulk {
            continue;
        }
        let mut passed = pass_rest(direction, (from, to), switch, rest).await;
        #[cfg(target_os = "linux")]
        if comes_in_bulk && passed.as_ref().is_ok_and(Vec::is_empty) {
            passed = pass_bulk(direction, (from, to), (tap, switch)).await;
        }
        match passed {
            Ok(unwritten) if unwritten.is_empty() => {}
            Ok(unwritten) => return Ok(Done::Paused(unwritten)),
            Err(sender) => {
                if (direction, sender) == (Direction::ToProvider, Direction::ToConsumer) {
                    last_words((from, to), (tap, switch), &mut scratch.borrow_mut());
                }
                return reset(sender, tap);
            }
        }
    }
}

/// What came of reading once.
enum Read {
    /// So many bytes were read; what the receiver did not take of them.
    Passed {
        rest: Vec<u8>,
        n_read: usize,
    },
    Nothing,
    End,
    /// The sender of this direction has reset the connection.
    Broken(Direction),
    /// The consumer speaks TLS, and has sent these bytes of it.
    Encrypt(Vec<u8>),
}

/// Reads once, and writes what the receiver takes of it.
fn pass_once(
    direction: Direction,
    (from, to): (&Socket, &Socket),
    (tap, switch): (&RefCell<Tap>, &Switch),
    buffer: &mut [u8],
) -> Read {
    let n_read = match from.try_read(buffer) {
        Ok(0) => {
            let how = how_ended(direction, from);
            tap.borrow_mut().ended(direction, how);
            to.end_writing_as(how);
            return Read::End;
        }
        Ok(n_read) => n_read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Nothing,
        Err(_) => return Read::Broken(direction),
    };
    let opening = tap.borrow_mut().opening(direction, &buffer[..n_read]);
    match opening {
        None => {}
        // A few bytes into a fresh connection always fit.
        Some(Opening::Say(answer)) => {
            let _ = from.try_write(answer);
            return Read::Nothing;
        }
        Some(Opening::Encrypt(answer)) => {
            let _ = from.try_write(answer);
            return Read::Encrypt(if answer.is_empty() { buffer[..n_read].to_vec() } else { Vec::new() });
        }
    }
    let n_written = match to.try_write(&buffer[..n_read]) {
        Ok(n_written) => n_written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        // The receiver is gone. What was read never arrived, so it has not passed.
        Err(_) => {
            if direction == Direction::ToProvider {
                last_words((from, to), (tap, switch), buffer);
            }
            return Read::Broken(direction.opposite());
        }
    };
    let mut tap = tap.borrow_mut();
    tap.saw(direction, &buffer[..n_read]);
    if n_read < SMALL && tap.awaits_more_of(direction) {
        from.acknowledge();
    }
    Read::Passed { rest: buffer[n_written..n_read].to_vec(), n_read }
}

/// How a side that says nothing more has ended its direction. Of a consumer it matters to nobody: all that it may ask says
/// itself how long it is.
pub(crate) fn how_ended(direction: Direction, from: &Socket) -> End {
    if direction == Direction::ToConsumer && from.is_cut_off() { End::CutOff } else { End::Fin }
}

/// Waits until something can be read; none where there is to be looked first at what is to be done.
pub(crate) async fn readable(from: &Socket, switch: &Switch) -> Option<io::Result<()>> {
    let n_seen = switch.n_changes();
    poll_fn(|cx| match from.poll_readable(cx) {
        Poll::Ready(readable) => Poll::Ready(Some(readable)),
        Poll::Pending => switch.poll_changed(n_seen, cx).map(|()| None),
    })
    .await
}

/// Waits until what the receiver did not take at once is written, or the connection is to be held: gives what was not. The
/// error is the direction whose sender has reset the connection.
async fn pass_rest(
    direction: Direction,
    (from, to): (&Socket, &Socket),
    switch: &Switch,
    mut rest: Vec<u8>,
) -> Result<Vec<u8>, Direction> {
    let mut n_written = 0;
    if !rest.is_empty() {
        until_written(direction, from, switch, write_rest(to, &rest, &mut n_written)).await?;
    }
    Ok(rest.split_off(n_written))
}

/// Waits until something is written, which is said to be true unless the receiver is gone, or the connection is to be held.
/// The error is the direction whose sender has reset the connection.
pub(crate) async fn until_written(
    direction: Direction,
    from: &Socket,
    switch: &Switch,
    writing: impl Future<Output = bool>,
) -> Result<(), Direction> {
    let is_down = direction == Direction::ToConsumer;
    switch.is_behind().set(is_down || switch.is_behind().get());
    let is_there = tokio::select! {
        biased;
        is_there = writing => is_there,
        () = switch.goes_over() => true,
        // Who has reset the connection wants nothing more of it, however long the provider may take to read.
        () = from.broken(), if !is_down => return Err(direction),
    };
    if is_down {
        switch.is_behind().set(false);
    }
    if is_there { Ok(()) } else { Err(direction.opposite()) }
}

/// The provider is gone: what it said before is passed on as far as it is there and the consumer takes it. A server that
/// refuses a long request says so and leaves.
fn last_words(
    (consumer, provider): (&Socket, &Socket),
    (tap, switch): (&RefCell<Tap>, &Switch),
    buffer: &mut [u8],
) {
    if switch.is_behind().get() {
        return;
    }
    while let Ok(n_read @ 1..) = provider.read_now(buffer) {
        let Ok(n_written) = consumer.try_write(&buffer[..n_read]) else { return };
        tap.borrow_mut().saw(Direction::ToConsumer, &buffer[..n_written]);
        if n_written < n_read {
            return;
        }
    }
}

/// Waits until all of it is written, and says how much is; false if the receiver is gone.
async fn write_rest(to: &Socket, rest: &[u8], n_written: &mut usize) -> bool {
    while *n_written < rest.len() {
        if to.writable().await.is_err() {
            return false;
        }
        match to.try_write(&rest[*n_written..]) {
            Ok(n_now) => *n_written += n_now,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    true
}

fn reset(sender: Direction, tap: &RefCell<Tap>) -> Result<Done, Stop> {
    tap.borrow_mut().ended(sender, End::Reset);
    Err(Stop::Reset)
}
