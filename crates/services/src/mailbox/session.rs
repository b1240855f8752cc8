//! What an SMTP client says and what it is answered: one line in, one answer out, no sockets.
//!
//! RFC 5321 with SIZE, 8BITMIME, SMTPUTF8, PIPELINING, CHUNKING and AUTH. Everything is accepted that a careful
//! server accepts, and refused what one refuses, so that a client's mistakes show here and not in production.

use super::mail::Envelope;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// As many recipients as RFC 5321 wants a server to take, ten times over.
const RECIPIENTS: usize = 1000;

/// What the mailbox asks of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The largest mail, in bytes.
    pub(crate) size: u64,
    /// Who may send; anybody where none is said.
    pub(crate) sign_in: Option<(String, String)>,
}

/// One client's conversation.
pub(crate) struct Session {
    rules: Rules,
    greeted: bool,
    user: Option<String>,
    mail: Option<Envelope>,
    sign_in: Option<SignIn>,
    /// Pieces of a mail that come by BDAT.
    pub(crate) chunks: Vec<u8>,
    /// Was a piece refused, so that the mail is lost until RSET?
    chunks_lost: bool,
}

/// How far signing in has come.
enum SignIn {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

/// What to do after a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Say this.
    Say(String),
    /// Say this and hang up.
    Quit(String),
    /// Say this and read a mail up to the dot.
    Data(String),
    /// Read so many bytes, then call [`Session::chunk`].
    Chunk { length: u64, last: bool },
}

impl Session {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            greeted: false,
            user: None,
            mail: None,
            sign_in: None,
            chunks: Vec::new(),
            chunks_lost: false,
        }
    }

    /// What is said first.
    pub(crate) fn greeting() -> &'static str {
        "220 mailbox ESMTP keeps what it gets and sends nothing"
    }

    /// Answers one line, without its end.
    pub(crate) fn line(&mut self, line: &str) -> Answer {
        if let Some(step) = self.sign_in.take() {
            return Answer::Say(self.sign_in_step(step, line));
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let say = |text: &str| Answer::Say(text.to_owned());
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Answer::Say(self.greet(rest, true)),
            "HELO" => Answer::Say(self.greet(rest, false)),
            "MAIL" => Answer::Say(self.mail_from(rest)),
            "RCPT" => Answer::Say(self.recipient(rest)),
            "DATA" => self.data(),
            "BDAT" => announce_chunk(rest),
            "AUTH" => Answer::Say(self.auth(rest)),
            "RSET" => {
                self.forget();
                say("250 2.0.0 Forgotten")
            }
            "NOOP" => say("250 2.0.0 OK"),
            "VRFY" => say("252 2.1.5 Send it and see"),
            "HELP" => say("214 2.0.0 This mailbox keeps all mails for the tests"),
            "QUIT" => Answer::Quit("221 2.0.0 Goodbye".to_owned()),
            "STARTTLS" => say("502 5.5.1 TLS is not offered"),
            "" => say("500 5.5.2 An empty line is no command"),
            _ => say("500 5.5.2 Unknown command"),
        }
    }

    /// The envelope of a mail that has come whole; a new one can begin.
    pub(crate) fn accept(&mut self) -> Option<Envelope> {
        let envelope = self.mail.take();
        self.forget();
        envelope
    }

    /// Answers a piece of a mail that BDAT announced; the mail, if it was the last one. `None` as bytes: it was too
    /// long to be kept.
    pub(crate) fn chunk(&mut self, bytes: Option<&[u8]>, last: bool) -> (Option<Vec<u8>>, &'static str) {
        let ready = self.mail.as_ref().is_some_and(|mail| !mail.recipients.is_empty());
        if !ready || self.chunks_lost {
            return (None, "503 5.5.1 MAIL and RCPT come first");
        }
        match bytes {
            Some(bytes) if (self.chunks.len() + bytes.len()) as u64 <= self.rules.size => {
                self.chunks.extend_from_slice(bytes);
            }
            _ => {
                self.chunks = Vec::new();
                self.chunks_lost = true;
                return (None, "552 5.3.4 The mail is too large");
            }
        }
        if last { (Some(std::mem::take(&mut self.chunks)), "") } else { (None, "250 2.0.0 Go on") }
    }

    /// The largest mail, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.rules.size
    }

    pub(crate) fn forget(&mut self) {
        self.mail = None;
        self.chunks = Vec::new();
        self.chunks_lost = false;
    }

    fn greet(&mut self, name: &str, extended: bool) -> String {
        if name.is_empty() {
            return "501 5.5.4 A name must follow".to_owned();
        }
        self.greeted = true;
        self.forget();
        if !extended {
            return "250 mailbox".to_owned();
        }
        let size = self.rules.size;
        ["250-mailbox", "250-PIPELINING", &format!("250-SIZE {size}"), "250-8BITMIME", "250-SMTPUTF8"]
            .join("\r\n")
            + "\r\n250-CHUNKING\r\n250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES"
    }

    fn mail_from(&mut self, rest: &str) -> String {
        if !self.greeted {
            return "503 5.5.1 EHLO comes first".to_owned();
        }
        if self.rules.sign_in.is_some() && self.user.is_none() {
            return "530 5.7.0 Sign in first".to_owned();
        }
        if self.mail.is_some() {
            return "503 5.5.1 One mail at a time".to_owned();
        }
        let Some((sender, parameters)) = path_after(rest, "FROM:") else {
            return "501 5.5.4 MAIL FROM:<address>".to_owned();
        };
        for parameter in parameters.split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_uppercase().as_str() {
                "SIZE" => match value.parse::<u64>() {
                    Ok(size) if size > self.rules.size => {
                        return "552 5.3.4 The mail is too large".to_owned();
                    }
                    Ok(_) => {}
                    Err(_) => return "501 5.5.4 SIZE is a number".to_owned(),
                },
                "BODY" | "SMTPUTF8" | "AUTH" => {}
                _ => return format!("555 5.5.4 {name} is not offered"),
            }
        }
        self.mail = Some(Envelope { sender, recipients: Vec::new(), user: self.user.clone() });
        "250 2.1.0 OK".to_owned()
    }

    fn recipient(&mut self, rest: &str) -> String {
        let Some(mail) = &mut self.mail else { return "503 5.5.1 MAIL comes first".to_owned() };
        let Some((recipient, parameters)) = path_after(rest, "TO:") else {
            return "501 5.5.4 RCPT TO:<address>".to_owned();
        };
        if recipient.is_empty() || !recipient.contains('@') && !recipient.eq_ignore_ascii_case("postmaster") {
            return "553 5.1.3 That is no address".to_owned();
        }
        if !parameters.is_empty() {
            return format!("555 5.5.4 {parameters} is not offered");
        }
        if mail.recipients.len() >= RECIPIENTS {
            return "452 4.5.3 Too many recipients".to_owned();
        }
        mail.recipients.push(recipient);
        "250 2.1.5 OK".to_owned()
    }

    fn data(&self) -> Answer {
        let refused = match &self.mail {
            None => "503 5.5.1 MAIL comes first",
            Some(mail) if mail.recipients.is_empty() => "503 5.5.1 RCPT comes first",
            Some(_) if !self.chunks.is_empty() => "503 5.5.1 The mail has begun with BDAT",
            Some(_) => return Answer::Data("354 Go on, and end with a dot".to_owned()),
        };
        Answer::Say(refused.to_owned())
    }

    fn auth(&mut self, rest: &str) -> String {
        if !self.greeted || self.user.is_some() || self.mail.is_some() {
            return "503 5.5.1 Not now".to_owned();
        }
        let (way, first) = rest.split_once(' ').unwrap_or((rest, ""));
        match (way.to_ascii_uppercase().as_str(), first.trim()) {
            ("PLAIN", "") => {
                self.sign_in = Some(SignIn::Plain);
                "334 ".to_owned()
            }
            ("PLAIN", given) => self.sign_in_step(SignIn::Plain, given),
            ("LOGIN", "") => {
                self.sign_in = Some(SignIn::LoginUser);
                "334 VXNlcm5hbWU6".to_owned()
            }
            ("LOGIN", given) => self.sign_in_step(SignIn::LoginUser, given),
            _ => "504 5.5.4 There are PLAIN and LOGIN".to_owned(),
        }
    }

    fn sign_in_step(&mut self, step: SignIn, line: &str) -> String {
        if line == "*" {
            return "501 5.7.0 Cancelled".to_owned();
        }
        let given = if line == "=" { Ok(Vec::new()) } else { STANDARD.decode(line) };
        let Some(given) = given.ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return "501 5.5.2 That is no base64".to_owned();
        };
        match step {
            SignIn::Plain => {
                let mut parts = given.split('\0').skip(1);
                match (parts.next(), parts.next()) {
                    (Some(user), Some(password)) => self.check(user, password),
                    _ => "501 5.5.2 PLAIN is three parts".to_owned(),
                }
            }
            SignIn::LoginUser => {
                self.sign_in = Some(SignIn::LoginPassword { user: given });
                "334 UGFzc3dvcmQ6".to_owned()
            }
            SignIn::LoginPassword { user } => self.check(&user, &given),
        }
    }

    fn check(&mut self, user: &str, password: &str) -> String {
        if self.rules.sign_in.as_ref().is_some_and(|(right, word)| right != user || word != password) {
            return "535 5.7.8 Wrong user or password".to_owned();
        }
        self.user = Some(user.to_owned());
        "235 2.7.0 Signed in".to_owned()
    }
}

/// `BDAT 1000 LAST`
fn announce_chunk(rest: &str) -> Answer {
    let mut words = rest.split_whitespace();
    let length = words.next().and_then(|word| word.parse().ok());
    let last = words.next();
    match (length, last) {
        (Some(length), None) => Answer::Chunk { length, last: false },
        (Some(length), Some(last)) if last.eq_ignore_ascii_case("LAST") => {
            Answer::Chunk { length, last: true }
        }
        // How many bytes follow is not known: nothing that comes can be understood any more.
        _ => Answer::Quit("501 5.5.4 BDAT length [LAST]".to_owned()),
    }
}

/// `FROM:<ann@x.test> SIZE=3` to the address and what follows it; spaces after the colon are forgiven.
fn path_after<'l>(rest: &'l str, word: &str) -> Option<(String, &'l str)> {
    let start = rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    let path = rest[start.len()..].trim_start().strip_prefix('<')?;
    let end = path.find('>')?;
    let after = &path[end + 1..];
    // A source route (`@a,@b:ann@x.test`) is ignored, as RFC 5321 wants.
    let address = path[..end]
        .rsplit_once(':')
        .map_or(&path[..end], |(route, address)| if route.starts_with('@') { address } else { &path[..end] });
    let clean = !address.contains(|c: char| c.is_control() || c == '<');
    let ends = after.is_empty() || after.starts_with(' ');
    (clean && ends).then(|| (address.to_owned(), after.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says each line and looks at the code of the answer.
    fn talk(rules: Rules, lines: &[(&str, &str)]) -> Session {
        let mut session = Session::new(rules);
        for (line, expected) in lines {
            let said = match session.line(line) {
                Answer::Say(text) | Answer::Quit(text) | Answer::Data(text) => text,
                Answer::Chunk { .. } => "chunk".to_owned(),
            };
            assert!(said.starts_with(expected), "{line}: {said}");
        }
        session
    }

    fn open() -> Rules {
        Rules { size: 1000, sign_in: None }
    }

    #[test]
    fn a_mail_is_handed_over() {
        let mut session = talk(
            open(),
            &[
                ("MAIL FROM:<a@x.test>", "503"),
                ("EHLO", "501"),
                ("EHLO me", "250-mailbox"),
                ("RCPT TO:<b@x.test>", "503"),
                ("DATA", "503"),
                ("mail from: <a@x.test> SIZE=999 BODY=8BITMIME", "250"),
                ("MAIL FROM:<a@x.test>", "503"),
                ("DATA", "503"),
                ("RCPT TO:<nonsense>", "553"),
                ("RCPT TO:b@x.test", "501"),
                ("RCPT TO:<@relay:b@x.test>", "250"),
                ("RCPT TO:<postmaster>", "250"),
                ("NOOP", "250"),
                ("DATA", "354"),
            ],
        );
        let envelope = session.accept().unwrap();
        assert_eq!((envelope.sender.as_str(), envelope.recipients.len()), ("a@x.test", 2));
        assert_eq!(envelope.recipients[0], "b@x.test");
        assert_eq!(session.line("DATA"), Answer::Say("503 5.5.1 MAIL comes first".to_owned()));
    }

    #[test]
    fn what_a_careful_server_refuses_is_refused() {
        talk(
            open(),
            &[
                ("HELO me", "250 mailbox"),
                ("MAIL FROM:<a@x.test> SIZE=1001", "552"),
                ("MAIL FROM:<a@x.test> SIZE=many", "501"),
                ("MAIL FROM:<a@x.test> MODE=odd", "555"),
                ("MAIL FROM:<a@x.test", "501"),
                ("MAIL FROM:<>", "250"),
                ("RSET", "250"),
                ("STARTTLS", "502"),
                ("", "500"),
                ("WIBBLE", "500"),
                ("BDAT many", "501"),
                ("QUIT", "221"),
            ],
        );
    }

    #[test]
    fn signing_in_is_checked_only_where_it_is_asked() {
        let session = talk(
            open(),
            &[("EHLO me", "250"), ("AUTH PLAIN", "334"), (&STANDARD.encode("\0ann\0secret"), "235")],
        );
        assert_eq!(session.user.as_deref(), Some("ann"));
        let closed = Rules { size: 1000, sign_in: Some(("ann".to_owned(), "right".to_owned())) };
        talk(
            closed,
            &[
                ("EHLO me", "250"),
                ("MAIL FROM:<a@x.test>", "530"),
                (&format!("AUTH PLAIN {}", STANDARD.encode("\0ann\0wrong")), "535"),
                ("AUTH GSSAPI", "504"),
                ("AUTH LOGIN", "334"),
                (&STANDARD.encode("ann"), "334"),
                ("*", "501"),
                ("AUTH LOGIN", "334"),
                (&STANDARD.encode("ann"), "334"),
                (&STANDARD.encode("right"), "235"),
                ("AUTH LOGIN", "503"),
                ("MAIL FROM:<a@x.test>", "250"),
            ],
        );
    }

    #[test]
    fn chunks_become_a_mail() {
        let mut session = talk(open(), &[("EHLO me", "250")]);
        assert_eq!(session.chunk(Some(b"early"), true).0, None);
        session.line("MAIL FROM:<a@x.test>");
        session.line("RCPT TO:<b@x.test>");
        assert_eq!(session.line("BDAT 3"), Answer::Chunk { length: 3, last: false });
        assert_eq!(session.chunk(Some(b"abc"), false).0, None);
        assert!(matches!(session.line("DATA"), Answer::Say(text) if text.starts_with("503")));
        assert_eq!(session.line("BDAT 0 last"), Answer::Chunk { length: 0, last: true });
        assert_eq!(session.chunk(Some(b""), true).0, Some(b"abc".to_vec()));
        session.accept();
        session.line("MAIL FROM:<a@x.test>");
        session.line("RCPT TO:<b@x.test>");
        assert!(session.chunk(None, false).1.starts_with("552"));
        assert!(session.chunk(Some(b""), true).1.starts_with("503"), "the rest of a lost mail is lost too");
    }
}
