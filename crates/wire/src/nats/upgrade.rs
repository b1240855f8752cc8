//! NATS over TLS: the server says INFO, and what the client says next is TLS.

use crate::upgrade::{Gathered, NoTls, Turn, Upgrade, Urge};
use seam_value::Value;

/// The first byte of TLS, which no command begins with.
const TLS: u8 = 0x16;

/// Towards clients: they may come to TLS.
#[derive(Default)]
pub(super) struct Offers {
    info: Gathered,
    has_greeted: bool,
    is_over: bool,
}

impl Upgrade for Offers {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        self.is_over = true;
        // What is left of the greeting, where the client speaks before it.
        turn.outward.append(&mut self.info.take());
        if bytes.first() == Some(&TLS) {
            turn.encrypts = true;
            turn.early.extend_from_slice(bytes);
        } else {
            turn.inward.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        if self.has_greeted {
            turn.outward.extend_from_slice(bytes);
            return Ok(());
        }
        let fits = self.info.add(bytes);
        if let Some(line) = self.info.take_line() {
            self.has_greeted = true;
            turn.outward.extend(without(
                &line,
                &["tls_required", "tls_available"],
                "\"tls_available\":true,",
            ));
            turn.outward.append(&mut self.info.take());
        } else if !fits {
            self.is_over = true;
            turn.outward.append(&mut self.info.take());
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
    info: Gathered,
    is_over: bool,
}

impl Asks {
    pub(super) fn new(urge: Urge) -> Self {
        Self { urge, info: Gathered::default(), is_over: false }
    }
}

impl Upgrade for Asks {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        let fits = self.info.add(bytes);
        let Some(line) = self.info.take_line() else {
            if !fits {
                self.is_over = true;
                turn.inward.append(&mut self.info.take());
            }
            return Ok(());
        };
        self.is_over = true;
        let says = |name: &str| info(&line).is_some_and(|info| info.get(name) == Some(&Value::Bool(true)));
        // A server that requires it gets it, whoever wants it.
        turn.encrypts = says("tls_required") || (!self.urge.is_lenient() && says("tls_available"));
        if !turn.encrypts && !self.urge.is_lenient() {
            return Err(NoTls::new("offers no TLS: its INFO does not speak of it"));
        }
        turn.inward.extend(without(&line, &["tls_required", "tls_available"], ""));
        let rest = self.info.take();
        if turn.encrypts {
            turn.early.extend(rest);
        } else {
            turn.inward.extend(rest);
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        turn.outward.extend_from_slice(bytes);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

/// What INFO says.
fn info(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?;
    let begin = text.find('{')?;
    seam_value::parse(text[begin..].trim_end()).ok()
}

/// INFO without these fields, which are true or false, and with something at its beginning. All else stays as it is.
fn without(line: &[u8], names: &[&str], with: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(line) else { return line.to_vec() };
    if info(line).is_none() {
        return line.to_vec();
    }
    let mut text = text.to_owned();
    for name in names {
        for value in ["true", "false"] {
            for field in [format!("\"{name}\":{value},"), format!(",\"{name}\":{value}")] {
                text = text.replace(&field, "");
            }
        }
    }
    if let Some(begin) = text.find('{')
        && !with.is_empty()
    {
        let is_empty = text[begin + 1..].trim_start().starts_with('}');
        text.insert_str(begin + 1, if is_empty { with.trim_end_matches(',') } else { with });
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &[u8] = b"INFO {\"server_id\":\"A\",\"tls_required\":true,\"port\":4222} \r\n";

    #[test]
    fn clients_are_offered_tls_and_may_do_without() {
        for cut in 0..INFO.len() {
            let mut offers = Offers::default();
            let mut turn = Turn::default();
            offers.goes(&INFO[..cut], &mut turn).unwrap();
            offers.goes(&INFO[cut..], &mut turn).unwrap();
            let expect = "INFO {\"tls_available\":true,\"server_id\":\"A\",\"port\":4222} \r\n";
            assert_eq!(String::from_utf8(turn.outward).unwrap(), expect);
            assert!(!offers.is_over());
            let mut turn = Turn::default();
            let (bytes, encrypts) =
                if cut % 2 == 0 { (&[0x16, 3, 1][..], true) } else { (&b"CONNECT"[..], false) };
            offers.came(bytes, &mut turn).unwrap();
            assert_eq!((turn.encrypts, offers.is_over()), (encrypts, true));
            assert_eq!(if encrypts { turn.early } else { turn.inward }, bytes);
        }
    }

    #[test]
    fn servers_are_asked_where_they_require_it_or_it_is_declared() {
        let consumer = || Urge::Consumer(Arc::default());
        let plain: &[u8] = b"INFO {\"a\":1}\r\n";
        let available: &[u8] = b"INFO {\"a\":1,\"tls_available\":true}\r\n";
        for (info, urge, encrypts) in [
            (INFO, consumer(), Ok(true)),
            (INFO, Urge::Declared, Ok(true)),
            (available, consumer(), Ok(false)),
            (available, Urge::Declared, Ok(true)),
            (plain, consumer(), Ok(false)),
            (plain, Urge::Declared, Err(())),
        ] {
            let mut asks = Asks::new(urge);
            let mut turn = Turn::default();
            let came = asks.came(info, &mut turn);
            assert_eq!(came.map(|()| turn.encrypts).map_err(drop), encrypts);
            assert!(!String::from_utf8(turn.inward).unwrap().contains("tls"));
        }
    }

    use std::sync::Arc;
}
