//! SMTP over TLS: offered in the answer to EHLO, asked for by STARTTLS.

use crate::upgrade::{Gathered, NoTls, Turn, Upgrade, Urge};

const READY: &[u8] = b"220 2.0.0 ready to start TLS\r\n";
const ASK: &[u8] = b"STARTTLS\r\n";

/// Towards clients: they may come to TLS.
///
/// The provider hears nothing of it: it is only greeted a second time.
pub(super) struct Offers {
    commands: Gathered,
    replies: Gathered,
    /// What the server owes, the oldest first: is it the answer to EHLO? The greeting is owed from the start.
    due: std::collections::VecDeque<bool>,
    /// It has been asked for, and begins once the server has answered what was asked before.
    is_wanted: bool,
    is_encrypted: bool,
    is_over: bool,
}

impl Default for Offers {
    fn default() -> Self {
        let due = std::iter::once(false).collect();
        let (commands, replies) = (Gathered::default(), Gathered::default());
        Self { commands, replies, due, is_wanted: false, is_encrypted: false, is_over: false }
    }
}

/// More commands than that wait for no answer before anybody signs in.
const MOST_DUE: usize = 1000;

impl Offers {
    fn end(&mut self, turn: &mut Turn) {
        self.is_over = true;
        turn.inward.append(&mut self.commands.take());
        turn.outward.append(&mut self.replies.take());
    }

    /// TLS begins, once it is asked for and nothing is owed that was asked in clear.
    fn begin(&mut self, turn: &mut Turn) {
        if self.is_wanted && self.due.is_empty() {
            (self.is_wanted, self.is_encrypted) = (false, true);
            turn.outward.extend_from_slice(READY);
            turn.encrypts = true;
            turn.early.append(&mut self.commands.take());
        }
    }
}

impl Upgrade for Offers {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        let fits = self.commands.add(bytes);
        while !self.is_wanted
            && let Some(line) = self.commands.take_line()
        {
            let name = word(&line);
            if name == b"STARTTLS" && !self.is_encrypted {
                self.is_wanted = true;
                self.begin(turn);
                return Ok(());
            }
            let goes_on =
                matches!(name.as_slice(), b"EHLO" | b"HELO" | b"LHLO" | b"NOOP" | b"RSET" | b"HELP");
            self.due.push_back(matches!(name.as_slice(), b"EHLO" | b"LHLO"));
            turn.inward.extend(line);
            if !goes_on || self.due.len() > MOST_DUE {
                self.end(turn);
                return Ok(());
            }
        }
        if !fits {
            self.end(turn);
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        let fits = self.replies.add(bytes);
        while let Some(reply) = take_reply(&mut self.replies) {
            if self.due.pop_front() == Some(true) {
                turn.outward.extend(offering(&reply, !self.is_encrypted));
            } else {
                turn.outward.extend(reply);
            }
        }
        self.begin(turn);
        if !fits {
            self.end(turn);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

/// Towards the server.
pub(super) struct Asks {
    urge: Urge,
    stage: Stage,
    replies: Gathered,
    /// What the client said while the server was asked.
    held: Gathered,
    is_offered: bool,
    greeting: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server has said nothing.
    Greeting,
    /// It is asked by us what it can.
    Asked,
    /// It has been told STARTTLS.
    Starting,
    /// Nobody has asked for TLS yet.
    Watching,
    Over,
}

impl Asks {
    pub(super) fn new(urge: Urge) -> Self {
        let stage = if urge.is_lenient() { Stage::Watching } else { Stage::Greeting };
        let (replies, held) = (Gathered::default(), Gathered::default());
        Self { urge, stage, replies, held, is_offered: false, greeting: Vec::new() }
    }

    fn reply(&mut self, reply: Vec<u8>, turn: &mut Turn) -> Result<(), NoTls> {
        match self.stage {
            Stage::Greeting if reply.starts_with(b"2") => {
                self.greeting = reply;
                self.stage = Stage::Asked;
                turn.outward.extend_from_slice(b"EHLO localhost\r\n");
            }
            Stage::Asked if offers(&reply) => {
                self.stage = Stage::Starting;
                turn.outward.extend_from_slice(ASK);
            }
            Stage::Asked => return Err(NoTls::new("offers no TLS: its answer to EHLO has no STARTTLS")),
            Stage::Starting if reply.starts_with(b"2") => {
                self.stage = Stage::Over;
                turn.encrypts = true;
                turn.inward.append(&mut self.greeting);
                turn.early.append(&mut self.replies.take());
                turn.secret.append(&mut self.held.take());
            }
            Stage::Starting if self.urge.is_lenient() => {
                self.stage = Stage::Over;
                turn.outward.append(&mut self.held.take());
            }
            Stage::Starting => {
                let said = String::from_utf8_lossy(&reply).trim_end().to_owned();
                return Err(NoTls::new(format!("refuses STARTTLS: {said}")));
            }
            Stage::Watching => {
                self.is_offered |= offers(&reply);
                turn.inward.extend(reply);
            }
            Stage::Greeting | Stage::Over => {
                self.stage = Stage::Over;
                turn.inward.extend(reply);
            }
        }
        Ok(())
    }
}

impl Upgrade for Asks {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        let fits = self.replies.add(bytes);
        while self.stage != Stage::Over
            && let Some(reply) = take_reply(&mut self.replies)
        {
            self.reply(reply, turn)?;
        }
        if !fits {
            self.stage = Stage::Over;
        }
        if self.stage == Stage::Over {
            turn.inward.append(&mut self.replies.take());
            // Whoever was made to wait for the greeting has said this; where TLS has begun it is on its way already.
            turn.outward.append(&mut self.held.take());
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.stage {
            Stage::Over => turn.outward.extend_from_slice(bytes),
            // Nobody who waits for the greeting says much.
            Stage::Greeting | Stage::Asked | Stage::Starting => {
                if !self.held.add(bytes) {
                    return Err(NoTls::new("is told too much before it has taken STARTTLS"));
                }
            }
            Stage::Watching if self.is_offered && self.urge.is_there() => {
                self.held.add(bytes);
                self.stage = Stage::Starting;
                turn.outward.extend_from_slice(ASK);
            }
            Stage::Watching => {
                // Who signs in, or writes a mail, wants no TLS any more.
                if matches!(word(bytes).as_slice(), b"AUTH" | b"MAIL") {
                    self.stage = Stage::Over;
                }
                turn.outward.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stage == Stage::Over && self.replies.0.is_empty()
    }
}

/// The first word of a command.
fn word(line: &[u8]) -> Vec<u8> {
    let line = line.trim_ascii();
    line[..line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len())].to_ascii_uppercase()
}

/// One reply with all its lines, if it is there.
fn take_reply(replies: &mut Gathered) -> Option<Vec<u8>> {
    let mut end = 0;
    loop {
        let line = &replies.0[end..];
        let length = memchr::memchr(b'\n', line)? + 1;
        end += length;
        if line.get(3) != Some(&b'-') {
            return Some(replies.take_first(end));
        }
    }
}

/// Does the answer to EHLO offer TLS?
fn offers(reply: &[u8]) -> bool {
    reply.starts_with(b"250") && lines(reply).skip(1).any(is_offer)
}

fn lines(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    reply.split_inclusive(|byte| *byte == b'\n')
}

fn is_offer(line: &[u8]) -> bool {
    line.get(4..).is_some_and(|rest| word(rest) == b"STARTTLS")
}

/// The answer to EHLO with an offer of TLS, or without.
fn offering(reply: &[u8], is_to_offer: bool) -> Vec<u8> {
    if !reply.starts_with(b"250") {
        return reply.to_vec();
    }
    let mut said: Vec<Vec<u8>> = lines(reply).filter(|line| !is_offer(line)).map(<[u8]>::to_vec).collect();
    if is_to_offer {
        said.insert(1.min(said.len()), b"250-STARTTLS\r\n".to_vec());
    }
    let last = said.len().saturating_sub(1);
    for (index, line) in said.iter_mut().enumerate() {
        if let Some(goes_on) = line.get_mut(3) {
            *goes_on = if index == last { b' ' } else { b'-' };
        }
    }
    said.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn answers_to_ehlo_offer_tls_or_not() {
        for (reply, with, without) in [
            ("250 host\r\n", "250-host\r\n250 STARTTLS\r\n", "250 host\r\n"),
            (
                "250-host\r\n250 SIZE\r\n",
                "250-host\r\n250-STARTTLS\r\n250 SIZE\r\n",
                "250-host\r\n250 SIZE\r\n",
            ),
            ("250-host\r\n250 STARTTLS\r\n", "250-host\r\n250 STARTTLS\r\n", "250 host\r\n"),
            (
                "250-h\r\n250-starttls\r\n250 X\r\n",
                "250-h\r\n250-STARTTLS\r\n250 X\r\n",
                "250-h\r\n250 X\r\n",
            ),
            ("502 what\r\n", "502 what\r\n", "502 what\r\n"),
        ] {
            assert_eq!(String::from_utf8(offering(reply.as_bytes(), true)).unwrap(), with);
            assert_eq!(String::from_utf8(offering(reply.as_bytes(), false)).unwrap(), without);
        }
    }

    #[test]
    fn a_client_comes_to_tls_and_the_provider_hears_nothing_of_it() {
        let mut offers = Offers::default();
        let mut turn = Turn::default();
        for part in [&b"220 hel"[..], b"lo\r\n"] {
            offers.goes(part, &mut turn).unwrap();
        }
        offers.came(b"EHLO me\r\n", &mut turn).unwrap();
        offers.goes(b"250-hello\r\n250 ", &mut turn).unwrap();
        offers.goes(b"SIZE\r\n", &mut turn).unwrap();
        offers.came(b"START", &mut turn).unwrap();
        offers.came(b"TLS\r\n\x16", &mut turn).unwrap();
        assert_eq!(turn.inward, b"EHLO me\r\n");
        let said = "220 hello\r\n250-hello\r\n250-STARTTLS\r\n250 SIZE\r\n220 2.0.0 ready to start TLS\r\n";
        assert_eq!(String::from_utf8(turn.outward).unwrap(), said);
        assert_eq!((turn.encrypts, turn.early), (true, vec![0x16]));
        let mut turn = Turn::default();
        offers.came(b"EHLO me\r\n", &mut turn).unwrap();
        offers.goes(b"250-hello\r\n250 SIZE\r\n", &mut turn).unwrap();
        assert_eq!(turn.outward, b"250-hello\r\n250 SIZE\r\n");
        offers.came(b"MAIL FROM:<a>\r\nRCPT", &mut turn).unwrap();
        assert_eq!(turn.inward, b"EHLO me\r\nMAIL FROM:<a>\r\nRCPT");
        assert!(offers.is_over());
    }

    #[test]
    fn what_was_asked_in_clear_is_answered_in_clear() {
        let mut offers = Offers::default();
        let mut turn = Turn::default();
        offers.came(b"EHLO me\r\nNOOP\r\nSTARTTLS\r\n", &mut turn).unwrap();
        offers.came(b"\x16\x03", &mut turn).unwrap();
        assert_eq!((turn.encrypts, turn.outward.as_slice()), (false, &b""[..]));
        offers.goes(b"220 hello\r\n250-hello\r\n250 SIZE\r\n", &mut turn).unwrap();
        assert!(!turn.encrypts);
        offers.goes(b"250 ok\r\n", &mut turn).unwrap();
        assert_eq!(turn.inward, b"EHLO me\r\nNOOP\r\n");
        let said = "220 hello\r\n250-hello\r\n250-STARTTLS\r\n250 SIZE\r\n250 ok\r\n220 2.0.0 ready to start TLS\r\n";
        assert_eq!(String::from_utf8(turn.outward).unwrap(), said);
        assert_eq!((turn.encrypts, turn.early), (true, vec![0x16, 3]));
    }

    #[test]
    fn a_server_is_asked_before_anybody_says_anything() {
        let mut asks = Asks::new(Urge::Declared);
        let mut turn = Turn::default();
        asks.came(b"220 hello\r\n", &mut turn).unwrap();
        asks.came(b"250-x\r\n250 STARTTLS\r\n", &mut turn).unwrap();
        assert_eq!((turn.inward.as_slice(), turn.encrypts), (&b""[..], false));
        asks.came(b"220 go\r\n", &mut turn).unwrap();
        assert_eq!(turn.outward, b"EHLO localhost\r\nSTARTTLS\r\n");
        assert_eq!((turn.inward.as_slice(), turn.encrypts), (&b"220 hello\r\n"[..], true));
        assert!(asks.is_over());
        let mut asks = Asks::new(Urge::Declared);
        asks.came(b"220 hello\r\n", &mut Turn::default()).unwrap();
        assert!(asks.came(b"250 x\r\n", &mut Turn::default()).is_err());
    }

    #[test]
    fn a_server_that_offers_it_is_asked_once_the_consumer_has() {
        let speaks = Arc::new(AtomicBool::new(false));
        let mut asks = Asks::new(Urge::Consumer(Arc::clone(&speaks)));
        let mut turn = Turn::default();
        asks.came(b"220 hello\r\n", &mut turn).unwrap();
        asks.goes(b"EHLO me\r\n", &mut turn).unwrap();
        asks.came(b"250-x\r\n250 STARTTLS\r\n", &mut turn).unwrap();
        assert_eq!(turn.outward, b"EHLO me\r\n");
        speaks.store(true, std::sync::atomic::Ordering::SeqCst);
        let mut turn = Turn::default();
        asks.goes(b"EHLO me\r\n", &mut turn).unwrap();
        assert_eq!(turn.outward, b"STARTTLS\r\n");
        asks.came(b"220 go\r\n", &mut turn).unwrap();
        assert_eq!(
            (turn.encrypts, turn.secret.as_slice(), turn.inward.as_slice()),
            (true, &b"EHLO me\r\n"[..], &b""[..])
        );
        assert!(asks.is_over());
    }
}
