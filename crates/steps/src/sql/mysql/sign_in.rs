//! Signing in with MySQL or MariaDB: the greeting, and the ways to prove that one knows the password.
//!
//! ```text
//! mysql_native_password    SHA1(password) ^ SHA1(salt, SHA1(SHA1(password)))
//! caching_sha2_password    SHA256(password) ^ SHA256(SHA256(SHA256(password)), salt)
//!                          and, where the server has not cached it, the password itself by the server's public key
//! ```

use super::rsa::PublicKey;
use super::session_error;
use super::{Session, unexpected};
use crate::login::Login;
use crate::sql::session::Halt;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

mod can {
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    const LONG_PASSWORD: u32 = 1;
    const LONG_FLAG: u32 = 1 << 2;
    const PROTOCOL_41: u32 = 1 << 9;
    const TRANSACTIONS: u32 = 1 << 13;
    const SECURE_CONNECTION: u32 = 1 << 15;
    const MULTI_STATEMENTS: u32 = 1 << 16;
    const MULTI_RESULTS: u32 = 1 << 17;
    const PS_MULTI_RESULTS: u32 = 1 << 18;
    const PLUGIN_AUTH: u32 = 1 << 19;
    /// What this client can; lists of columns end with a packet of their own.
    pub(super) const ALWAYS: u32 = LONG_PASSWORD
        | LONG_FLAG
        | PROTOCOL_41
        | TRANSACTIONS
        | SECURE_CONNECTION
        | MULTI_STATEMENTS
        | MULTI_RESULTS
        | PS_MULTI_RESULTS
        | PLUGIN_AUTH;
}

/// utf8mb4.
const CHARSET: u8 = 45;

/// What a server greets with.
struct Greeting {
    id: u32,
    salt: Vec<u8>,
    plugin: String,
}

impl Greeting {
    fn read(packet: &[u8]) -> Option<Self> {
        // The protocol's number and the server's version, which ends with a zero.
        let rest = packet.get(1..)?;
        let rest = &rest[rest.iter().position(|byte| *byte == 0)? + 1..];
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_at_checked(8)?;
        // A zero, capabilities, the character set, the status, capabilities, the salt's length, ten bytes for later.
        let length = usize::from(*rest.get(8)?);
        let rest = rest.get(19..)?;
        let (second, rest) = rest.split_at_checked(length.saturating_sub(8).max(13).min(rest.len()))?;
        let salt = [first, second.get(..12).unwrap_or(second)].concat();
        let plugin = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        let plugin = String::from_utf8_lossy(plugin).into_owned();
        Some(Self { id: u32::from_le_bytes(*id), salt, plugin })
    }
}

impl Session {
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Halt> {
        let packet = self.packet().await?;
        if packet.first() == Some(&0xff) {
            return Err(session_error(&packet));
        }
        let Greeting { id, mut salt, mut plugin } = Greeting::read(&packet).ok_or_else(ungreeted)?;
        self.id = id;
        let user = login.user.as_deref().unwrap_or("root");
        let password = login.password.as_deref().unwrap_or_default();
        if !is_known(&plugin) {
            "mysql_native_password".clone_into(&mut plugin);
        }
        let proof = proof(&plugin, password, &salt);
        let mut flags = can::ALWAYS;
        if !login.database.is_empty() {
            flags |= can::CONNECT_WITH_DB;
        }
        let mut answer = flags.to_le_bytes().to_vec();
        answer.extend_from_slice(&u32::MAX.to_le_bytes());
        answer.push(CHARSET);
        answer.extend_from_slice(&[0; 23]);
        answer.extend_from_slice(&[user.as_bytes(), &[0]].concat());
        answer.push(u8::try_from(proof.len()).unwrap_or_default());
        answer.extend_from_slice(&proof);
        if !login.database.is_empty() {
            answer.extend_from_slice(&[login.database.as_bytes(), &[0]].concat());
        }
        answer.extend_from_slice(&[plugin.as_bytes(), &[0]].concat());
        self.send(1, &answer).await?;
        let mut number = 3;
        loop {
            let packet = self.packet().await?;
            match packet.split_first() {
                Some((0, _)) => break,
                Some((0xff, _)) => return Err(session_error(&packet)),
                // Another way is wanted, with another salt.
                Some((0xfe, rest)) => {
                    let mut parts = rest.splitn(2, |byte| *byte == 0);
                    plugin = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
                    salt = parts.next().unwrap_or_default().to_vec();
                    salt.truncate(20);
                    if !is_known(&plugin) {
                        let reason = format!("the server wants `{plugin}`, which `sql` steps don't know");
                        return Err(Halt::Unusable(reason));
                    }
                    self.send(number, &self::proof(&plugin, password, &salt)).await?;
                }
                // The server's cache knows the password, or it does not.
                Some((1, [3])) => continue,
                Some((1, [4])) => self.send(number, &[2]).await?,
                Some((1, pem)) => {
                    let unusable = |reason: &str| Halt::Unusable(reason.to_owned());
                    let no_key = || unusable("the server's public key is none of 1024 to 4096 bits of RSA");
                    let key = PublicKey::read(pem).ok_or_else(no_key)?;
                    let mut secret = [password.as_bytes(), &[0]].concat();
                    xor(&mut secret, &salt);
                    let too_long = || unusable("the password is too long for the server's public key");
                    let sealed = key.seal(&secret).ok_or_else(too_long)?;
                    self.send(number, &sealed).await?;
                }
                _ => return Err(unexpected()),
            }
            number = number.wrapping_add(2);
        }
        // A log-in is no exchange; one that was refused is, and has been told.
        drop(self.heard.told()?);
        Ok(())
    }
}

fn ungreeted() -> Halt {
    Halt::Unusable("the server's greeting is none of MySQL's".to_owned())
}

fn is_known(plugin: &str) -> bool {
    matches!(plugin, "mysql_native_password" | "caching_sha2_password")
}

/// What shows that one knows the password; nothing where there is none.
fn proof(plugin: &str, password: &str, salt: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let password = password.as_bytes();
    if plugin == "caching_sha2_password" {
        let once = Sha256::digest(password);
        let mut proof = once.to_vec();
        xor(&mut proof, &Sha256::new().chain_update(Sha256::digest(once)).chain_update(salt).finalize());
        return proof;
    }
    let once = Sha1::digest(password);
    let mut proof = once.to_vec();
    xor(&mut proof, &Sha1::new().chain_update(salt).chain_update(Sha1::digest(once)).finalize());
    proof
}

/// Each byte with one of the other's, which begins again where it ends.
fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with.iter().cycle()).for_each(|(byte, other)| *byte ^= other);
}
