//! SMTP: one exchange for each mail, and one for each command that was refused.
//!
//! ```text
//!                       ◀─── 220 greeting
//! EHLO, AUTH …          ───▶ 250
//! MAIL FROM, RCPT TO    ───▶ 250, 250                   may come all at once
//! DATA                  ───▶ 354
//! content ↵.↵           ───▶ 250 queued                  the mail's reply; with BDAT: a length instead of a dot
//! ```

mod connection;
mod reading;
mod replies;
mod session;
mod splitter;
mod stand_in;
mod upgrade;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Deed, Protocol};
use crate::splitter::Unanswerable;
use crate::upgrade::{Upgrade, Urge};
use connection::Connection;
use seam_model::{Field, Shape, Word};
use seam_value::Value;

/// The protocol `smtp`.
pub(crate) struct Smtp;

impl Protocol for Smtp {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "smtp"
    }

    fn default_port(&self) -> Option<u16> {
        Some(25)
    }

    fn offers_tls(&self) -> Option<Box<dyn Upgrade>> {
        Some(Box::<upgrade::Offers>::default())
    }

    fn asks_for_tls(&self, urge: Urge) -> Option<Box<dyn Upgrade>> {
        Some(Box::new(upgrade::Asks::new(urge)))
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        stand_in::reply(answer).err()
    }

    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::ChangeMessage => Some("smtp has no messages but mails, which are requests"),
            _ => None,
        }
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection::new(limits))
    }
}

/// The protocol `smtps`: the same within TLS, which comes before the greeting (RFC 8314).
pub(crate) struct Smtps;

impl Protocol for Smtps {
    fn word(&self) -> &'static Word {
        &SMTPS
    }

    fn scheme(&self) -> &'static str {
        "smtps"
    }

    fn default_port(&self) -> Option<u16> {
        Some(465)
    }

    fn begins_with_tls(&self) -> bool {
        true
    }

    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        Smtp.lacks(deed)
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection::new(limits))
    }
}

static SMTPS: Word = Word {
    text: "As `smtp`, within TLS, with which both sides begin (port 465). It ends at the seam. A provider that speaks none \
        is spoken to without; one whose certificate is to be judged has `tls: { ca: FILE }`.",
    example: "system: hello\n\
        components:\n  \
          relay: { external: \"tcp://127.0.0.1:465\", protocol: smtps }\n",
    fields: ANSWER,
    results: WORD.results,
    ..Word::new("smtps", "mail within TLS from the first byte on")
};

static WORD: Word = Word {
    text: "One interaction for each mail, with the status of its last reply; a session without a mail makes none. A \
        command that was refused makes one with `request.command` and its status. What is said to sign in is \
        never kept. STARTTLS ends at the seam. What is answered or held is the \
        mail with its content; one sent by BDAT passes as it is. A stub with no provider behind it is asked for \
        each mail, and greets, lets sign in and takes the envelope by itself.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "the mail, or the command that was refused"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
    ],
    example: "system: hello\n\
        components:\n  \
          relay: { external: \"tcp://127.0.0.1:25\", protocol: smtp }\n",
    ..Word::new("smtp", "mail on its way, one interaction for each")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "status",
        Shape::Integer,
        "in an answer to a mail: the three digits; 250 where it is not said",
    ),
    Field::optional(
        "text",
        Shape::Text,
        "in an answer to a mail: the words; those that are usual with the status",
    ),
];

const REQUEST: &[Field] = &[
    Field::optional("command", Shape::Text, "the command that was refused, in capital letters"),
    Field::optional("sender", Shape::Text, "who hands the mail over, from the envelope; empty for a bounce"),
    Field::optional(
        "recipients",
        Shape::List(&Shape::Text),
        "who gets it, from the envelope: also in blind copy",
    ),
    Field::optional("from", Shape::Text, "the address in `From:`, or the sender where there is none"),
    Field::optional(
        "to",
        Shape::List(&Shape::Text),
        "the addresses in `To:`, or the recipients where there are none",
    ),
    Field::optional("subject", Shape::Text, "the subject, decoded"),
    Field::optional("text", Shape::Text, "the plain text; null where there is none"),
    Field::optional("html", Shape::Text, "the HTML; null where there is none"),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "the headers, by names in small letters, decoded"),
    Field::optional("attachments", Shape::List(&Shape::Any), "what is attached: name, content_type, content"),
    Field::optional("length", Shape::Integer, "the mail's bytes as sent, kept or not"),
];

const REPLY: &[Field] = &[
    Field::optional("status", Shape::Integer, "the three digits"),
    Field::optional("text", Shape::Text, "the words behind them"),
];
