//! Who someone is: accounts, sign-in with a limit of tries, sessions that end, and the role of a clerk.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bookstore_services::cache::Store;
use bookstore_services::config;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request};
use hyper::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Who asks.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    role: Role,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Customer,
    Clerk,
}

impl Customer {
    /// 403 for everybody who does not work here.
    pub(crate) fn must_be_clerk(&self) -> Result<(), Problem> {
        if self.role == Role::Clerk { Ok(()) } else { Err(Problem::new(403, "forbidden", "for clerks only")) }
    }
}

#[derive(Deserialize)]
pub(crate) struct SignUp {
    email: String,
    name: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct SignIn {
    email: String,
    password: String,
}

#[derive(Deserialize, Serialize)]
struct Account {
    customer: Customer,
    salt: String,
    hash: String,
}

/// Accounts and sessions, kept in Redis.
#[derive(Clone)]
pub(crate) struct Accounts {
    store: Store,
    session: Duration,
    /// How often someone may try to sign in as the same customer in a minute.
    sign_in_limit: i64,
    rounds: u32,
}

impl Accounts {
    /// Reads the settings; the program's health waits until the clerk's account is there.
    pub(crate) fn from_env(store: Store, readiness: &Readiness) -> Result<Self, Fatal> {
        let accounts = Self {
            store,
            session: config::duration("SESSION_LASTS", Duration::from_mins(30))?,
            sign_in_limit: config::number("SIGN_INS_A_MINUTE", 5)?,
            rounds: u32::try_from(config::number("PASSWORD_ROUNDS", 100_000)?)?,
        };
        let (email, password) = (config::required("CLERK_EMAIL")?, config::required("CLERK_PASSWORD")?);
        let probed = accounts.clone();
        readiness.needs("clerk", move || {
            let accounts = probed.clone();
            let clerk = SignUp { email: email.clone(), name: "Clerk".to_owned(), password: password.clone() };
            async move { accounts.create(clerk, Role::Clerk).await.map(drop) }
        });
        Ok(accounts)
    }

    pub(crate) async fn sign_up(&self, wanted: SignUp) -> Result<Reply, Problem> {
        let name = wanted.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Problem::invalid("invalid_name", "a name has 1 to 100 characters"));
        }
        if wanted.password.chars().count() < 8 {
            return Err(Problem::invalid("weak_password", "a password has at least 8 characters"));
        }
        let (local, domain) = wanted.email.split_once('@').unwrap_or_default();
        if local.is_empty()
            || domain.is_empty()
            || wanted.email.len() > 254
            || wanted.email.contains(char::is_whitespace)
        {
            return Err(Problem::invalid("invalid_email", "this is not an address for mail"));
        }
        match self.create(wanted, Role::Customer).await? {
            Some(customer) => Ok(Reply::json(201, json!(customer))),
            None => Err(Problem::new(409, "email_taken", "there is an account with this address")),
        }
    }

    /// Nothing when there is an account with that address already.
    async fn create(&self, wanted: SignUp, role: Role) -> Result<Option<Customer>, Problem> {
        let email = wanted.email.to_lowercase();
        let salt = Uuid::new_v4().simple().to_string();
        let hash = self.hash(wanted.password, salt.clone()).await?;
        let customer =
            Customer { id: Uuid::new_v4().to_string(), email, name: wanted.name.trim().to_owned(), role };
        let account = json!(Account { customer: customer.clone(), salt, hash }).to_string();
        let mut command = redis::cmd("SET");
        command.arg(format!("account:{}", customer.email)).arg(account).arg("NX");
        let is_new: bool = command.query_async(&mut self.store.clone()).await?;
        Ok(is_new.then_some(customer))
    }

    pub(crate) async fn sign_in(&self, wanted: SignIn) -> Result<Reply, Problem> {
        let mut store = self.store.clone();
        let email = wanted.email.to_lowercase();
        within_rate(&mut store, &format!("sign-in:{email}"), self.sign_in_limit).await?;
        let stored: Option<String> =
            redis::cmd("GET").arg(format!("account:{email}")).query_async(&mut store).await?;
        let account: Option<Account> = stored.and_then(|stored| serde_json::from_str(&stored).ok());
        // Who has no account waits as long as who has one, and hears the same.
        let salt = account.as_ref().map(|account| account.salt.clone()).unwrap_or_default();
        let hash = self.hash(wanted.password, salt).await?;
        let Some(account) = account.filter(|account| same(&account.hash, &hash)) else {
            return Err(Problem::new(401, "wrong_credentials", "address or password is wrong"));
        };
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let lasts = self.session.as_secs();
        let mut command = redis::cmd("SET");
        command.arg(format!("session:{token}")).arg(json!(account.customer).to_string()).arg("EX").arg(lasts);
        command.query_async::<()>(&mut store).await?;
        let cookie = format!("session={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}");
        let answer = json!({ "token": token, "expires_in": lasts, "customer": account.customer });
        Ok(Reply::json(200, answer).header(SET_COOKIE, cookie))
    }

    pub(crate) async fn sign_out(&self, request: &Request) -> Result<Reply, Problem> {
        if let Some(token) = token(request) {
            let mut command = redis::cmd("DEL");
            command.arg(format!("session:{token}")).query_async::<()>(&mut self.store.clone()).await?;
        }
        let cookie = "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0".to_owned();
        Ok(Reply::empty().header(SET_COOKIE, cookie))
    }

    /// Who is signed in; the session lasts on from now.
    pub(crate) async fn customer(&self, request: &Request) -> Result<Customer, Problem> {
        let unknown = || Problem::new(401, "sign_in_required", "sign in first");
        let token = token(request).ok_or_else(unknown)?;
        let mut command = redis::cmd("GETEX");
        command.arg(format!("session:{token}")).arg("EX").arg(self.session.as_secs());
        let stored: Option<String> = command.query_async(&mut self.store.clone()).await?;
        stored.and_then(|stored| serde_json::from_str(&stored).ok()).ok_or_else(unknown)
    }

    async fn hash(&self, password: String, salt: String) -> Result<String, Problem> {
        let rounds = self.rounds;
        let work = tokio::task::spawn_blocking(move || {
            let mut key = [0; 32];
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt.as_bytes(), rounds, &mut key);
            STANDARD.encode(key)
        });
        work.await.map_err(|error| Problem::new(500, "internal", error))
    }
}

/// 429 when there were more than `limit` of this within a minute.
pub(crate) async fn within_rate(store: &mut Store, what: &str, limit: i64) -> Result<(), Problem> {
    let key = format!("rate:{what}");
    let mut commands = redis::pipe();
    commands.atomic();
    commands.cmd("SET").arg(&key).arg(0).arg("EX").arg(60).arg("NX").ignore();
    commands.cmd("INCR").arg(&key);
    let (count,): (i64,) = commands.query_async(store).await?;
    if count > limit {
        return Err(Problem::new(429, "too_many_tries", "wait a minute").with("limit", json!(limit)));
    }
    Ok(())
}

fn token(request: &Request) -> Option<&str> {
    request.bearer().or_else(|| request.cookie("session")).filter(|token| !token.is_empty())
}

/// Compares in a time that does not tell how much is equal.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
