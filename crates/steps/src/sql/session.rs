//! One session with PostgreSQL, which takes and gives everything as text.
//!
//! tokio-postgres asks for results in binary, so that "as the server writes it" could not be shown, and needs to know
//! a value's type before it is sent, so that a text would not fit a column of dates. Here parameters go out as text,
//! which the server fits to whatever the column is, and results come back as psql would print them. The messages
//! themselves are postgres-protocol's.
//!
//! All statements of a step are one implicit transaction, as with `psql -c`: an error undoes all of them.

use super::typed::{self, Arrays};
use crate::login::Login;
use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::backend::{
    DataRowBody, ErrorResponseBody, Message, ParameterDescriptionBody, RowDescriptionBody,
};
use postgres_protocol::message::frontend;
use postgres_protocol::{IsNull, Oid};
use seam_event::InteractionError;
use seam_value::{Map, Value};
use seam_wire::scram::{Exchange, Hash};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One statement with `$1`, `$2` … and what stands for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

/// What one statement gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// None where the statement gives no rows at all.
    pub(crate) rows: Option<Vec<Value>>,
    /// How many rows it changed.
    pub(crate) affected: u64,
    /// The number that was given to a new row, where the server says it.
    pub(crate) insert_id: Option<u64>,
}

/// Why statements came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The server said so.
    Server(Box<ServerError>),
    /// The connection failed, and the session is of no use any more.
    Lost(InteractionError),
    /// What came back cannot be given as rows.
    Unusable(String),
}

/// A server's code for what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Text(String),
    Number(u64),
}

impl Default for Code {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Code {
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Number(number) => Value::from(*number),
        }
    }
}

/// An error as the server tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: Code,
    /// The code of the standard, where that is another one.
    pub(crate) state: Option<String>,
    pub(crate) message: String,
    pub(crate) constraint: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) column: Option<String>,
    /// Where in its statement, in characters from 1.
    pub(crate) position: Option<usize>,
    /// Which of the statements, from 0, where that is known.
    pub(crate) statement: Option<usize>,
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Lost(crate::socket::seen(&error))
    }
}

/// An open session; dropping it closes the connection, with which the server ends the session.
pub(crate) struct Session {
    stream: TcpStream,
    socket: SocketAddr,
    input: BytesMut,
    output: BytesMut,
    /// `I` idle, `T` in a transaction, `E` in one that has failed.
    status: u8,
    key: Option<(i32, i32)>,
    /// Was the `Sync` behind the last statement sent already? One too many would be answered once too often.
    synced: bool,
    arrays: Arrays,
}

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(login: &Login) -> Result<Self, Halt> {
        let stream = TcpStream::connect(login.socket).await?;
        stream.set_nodelay(true)?;
        let mut session = Self {
            stream,
            socket: login.socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            status: b'I',
            key: None,
            synced: false,
            arrays: Arrays::default(),
        };
        // ISO dates and hexadecimal bytes are what the reading of values relies on; all else is the server's own.
        let user = login.user.as_deref().unwrap_or("postgres");
        let parameters = [
            ("user", user),
            ("database", &login.database),
            ("application_name", "seamwork test"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO"),
            ("bytea_output", "hex"),
        ];
        frontend::startup_message(parameters, &mut session.output)?;
        session.log_in(user, login.password.as_deref().unwrap_or_default()).await?;
        Ok(session)
    }

    /// Can it be used again? One in a transaction must be, so that losing it is seen; any other one that the server
    /// has closed, or has said something unasked to, is left.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_in_transaction() || (self.input.is_empty() && crate::socket::is_silent(&self.stream))
    }

    /// Is a transaction open, or has one failed that nobody has ended yet?
    fn is_in_transaction(&self) -> bool {
        self.status != b'I'
    }

    /// Runs statements in order, and gives what each gave.
    pub(crate) async fn run(&mut self, statements: &[Bound]) -> Result<Vec<Outcome>, Halt> {
        let done = if let [only] = statements
            && only.values.is_empty()
        {
            self.run_plain(&only.text).await
        } else {
            let mut done = self.run_bound(statements, false).await;
            // `where $x is null` says nothing about the type of $x: then it is the value's own. A failed transaction
            // of the user's can't be taken back, so it is tried again only where none was open.
            if let Err(Halt::Server(error)) = &done
                && error.code == Code::Text("42P18".to_owned())
                && error.statement == Some(0)
                && !self.is_in_transaction()
            {
                done = self.run_bound(statements, true).await;
            }
            done
        };
        let mut outcomes = done?;
        self.read_unknown_arrays(&mut outcomes).await?;
        outcomes.into_iter().map(RawOutcome::finish(&self.arrays)).collect()
    }

    /// Asks the server, over a connection of its own as the protocol wants it, to give up what it is doing.
    pub(crate) async fn cancel(&self) -> io::Result<()> {
        let Some((process, key)) = self.key else { return Ok(()) };
        let mut stream = TcpStream::connect(self.socket).await?;
        let mut output = BytesMut::new();
        frontend::cancel_request(process, key, &mut output);
        stream.write_all(&output).await?;
        // The server closes when it has passed the request on.
        let mut end = [0; 1];
        stream.read(&mut end).await.map(drop)
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Halt> {
        let seeds = [(); 3].map(|()| RandomState::new().hash_one(0_u8));
        let nonce = seeds.map(|seed| format!("{seed:016x}")).concat();
        let mut exchange = Exchange::begin(Hash::Sha256, "", nonce);
        loop {
            match self.next().await? {
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password.as_bytes(), &mut self.output)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(user.as_bytes(), password.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.output)?;
                }
                Message::AuthenticationSasl(_) => {
                    let first = exchange.first();
                    frontend::sasl_initial_response(
                        Hash::Sha256.mechanism(),
                        first.as_bytes(),
                        &mut self.output,
                    )?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    let answer = exchange.answer(password, body.data()).ok_or_else(unexpected)?;
                    frontend::sasl_response(answer.as_bytes(), &mut self.output)?;
                }
                Message::AuthenticationSaslFinal(body) if exchange.is_proven(body.data()) => {}
                Message::AuthenticationSaslFinal(_) => return Err(unexpected().into()),
                Message::BackendKeyData(body) => self.key = Some((body.process_id(), body.secret_key())),
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    return Ok(());
                }
                Message::ErrorResponse(body) => return Err(Halt::Server(server_error(&body))),
                _ => {}
            }
        }
    }

    /// Statements without parameters go as one text, which the server takes apart itself.
    async fn run_plain(&mut self, text: &str) -> Result<Vec<RawOutcome>, Halt> {
        frontend::query(text, &mut self.output)?;
        let mut outcomes = Vec::new();
        let mut failed = None;
        let mut current = RawOutcome::default();
        loop {
            match self.next().await? {
                Message::RowDescription(body) => current.columns = Some(columns(&body)?),
                Message::DataRow(body) => current.rows.push(cells(&body)?),
                Message::CommandComplete(body) => {
                    current.affected = affected(body.tag()?);
                    outcomes.push(std::mem::take(&mut current));
                }
                Message::CopyInResponse(_) => self.refuse_copy()?,
                Message::ErrorResponse(body) => failed = Some(server_error(&body)),
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    return failed.map_or(Ok(outcomes), |error| Err(Halt::Server(error)));
                }
                _ => {}
            }
        }
    }

    /// Statements with parameters go one by one, with one `Sync` at the end of all.
    async fn run_bound(&mut self, statements: &[Bound], typed: bool) -> Result<Vec<RawOutcome>, Halt> {
        let mut outcomes = Vec::new();
        self.synced = false;
        for (index, statement) in statements.iter().enumerate() {
            match self.run_one(statement, typed, index + 1 == statements.len()).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(Halt::Server(error)) => {
                    if !std::mem::take(&mut self.synced) {
                        frontend::sync(&mut self.output);
                    }
                    self.until_ready().await?;
                    return Err(Halt::Server(Box::new(ServerError { statement: Some(index), ..*error })));
                }
                Err(lost) => return Err(lost),
            }
        }
        self.until_ready().await?;
        Ok(outcomes)
    }

    async fn run_one(&mut self, statement: &Bound, typed: bool, is_last: bool) -> Result<RawOutcome, Halt> {
        let types = statement.values.iter().map(|value| if typed { own_type(value) } else { 0 });
        frontend::parse("", &statement.text, types, &mut self.output)?;
        frontend::describe(b'S', "", &mut self.output)?;
        frontend::flush(&mut self.output);
        let mut parameters = Vec::new();
        let mut outcome = RawOutcome::default();
        loop {
            match self.next().await? {
                Message::ParameterDescription(body) => parameters = parameter_types(&body)?,
                Message::RowDescription(body) => {
                    outcome.columns = Some(columns(&body)?);
                    break;
                }
                Message::NoData => break,
                Message::ErrorResponse(body) => return Err(Halt::Server(server_error(&body))),
                _ => {}
            }
        }
        self.bind(&statement.values, &parameters)?;
        frontend::execute("", 0, &mut self.output)?;
        if is_last {
            self.synced = true;
            frontend::sync(&mut self.output);
        } else {
            frontend::flush(&mut self.output);
        }
        loop {
            match self.next().await? {
                Message::DataRow(body) => outcome.rows.push(cells(&body)?),
                Message::CommandComplete(body) => {
                    outcome.affected = affected(body.tag()?);
                    return Ok(outcome);
                }
                Message::EmptyQueryResponse => return Ok(outcome),
                Message::CopyInResponse(_) => self.refuse_copy()?,
                Message::ErrorResponse(body) => return Err(Halt::Server(server_error(&body))),
                _ => {}
            }
        }
    }

    fn bind(&mut self, values: &[Value], types: &[Oid]) -> Result<(), Halt> {
        let texts = values.iter().enumerate().map(|(index, value)| {
            typed::write(types.get(index).copied().unwrap_or_default(), value, &self.arrays)
        });
        let write = |text: Option<String>, output: &mut BytesMut| match text {
            None => Ok(IsNull::Yes),
            Some(text) => {
                output.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        };
        match frontend::bind("", "", [], texts, write, [], &mut self.output) {
            Ok(()) => Ok(()),
            Err(frontend::BindError::Conversion(error)) => Err(Halt::Unusable(error.to_string())),
            Err(frontend::BindError::Serialization(error)) => Err(Halt::Unusable(error.to_string())),
        }
    }

    /// Types that the user made have no number known beforehand; whether one is an array is asked once for each.
    async fn read_unknown_arrays(&mut self, outcomes: &mut [RawOutcome]) -> Result<(), Halt> {
        if self.status == b'E' {
            return Ok(());
        }
        let mut unknown: Vec<Oid> =
            outcomes.iter().flat_map(|outcome| outcome.unknown_arrays(&self.arrays)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        for oid in unknown {
            let text =
                format!("select typelem from pg_catalog.pg_type where oid = {oid} and typcategory = 'A'");
            let found = self.run_plain(&text).await?;
            let cell = found.first().and_then(|outcome| outcome.rows.first()?.first()?.clone());
            self.arrays.learn(oid, cell.and_then(|text| text.parse().ok()));
        }
        Ok(())
    }

    fn refuse_copy(&mut self) -> io::Result<()> {
        frontend::copy_fail("a sql step has nothing to copy from", &mut self.output)
    }

    async fn until_ready(&mut self) -> Result<(), Halt> {
        loop {
            if let Message::ReadyForQuery(body) = self.next().await? {
                self.status = body.status();
                return Ok(());
            }
        }
    }

    /// Sends what waits to be sent, and gives the next message.
    async fn next(&mut self) -> io::Result<Message> {
        if !self.output.is_empty() {
            self.stream.write_all_buf(&mut self.output).await?;
        }
        loop {
            if let Some(message) = Message::parse(&mut self.input)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Tells the server that this is no accident.
impl Drop for Session {
    fn drop(&mut self) {
        self.output.clear();
        frontend::terminate(&mut self.output);
        // Where the socket is full or gone the server notices by itself.
        let _ = self.stream.try_write(self.output.chunk());
    }
}

/// Rows as texts, before their types are looked at.
#[derive(Default)]
struct RawOutcome {
    columns: Option<Vec<(String, Oid)>>,
    rows: Vec<Vec<Option<String>>>,
    affected: u64,
}

impl RawOutcome {
    /// Types of columns that look like arrays and of which nothing is known.
    fn unknown_arrays(&self, arrays: &Arrays) -> Vec<Oid> {
        let columns = self.columns.as_deref().unwrap_or_default().iter().enumerate();
        columns
            .filter(|(index, (_, oid))| {
                let mut cells = self.rows.iter().filter_map(|row| row.get(*index)?.as_deref());
                !arrays.knows(*oid) && cells.any(|cell| cell.starts_with('{'))
            })
            .map(|(_, (_, oid))| *oid)
            .collect()
    }

    fn finish(arrays: &Arrays) -> impl Fn(Self) -> Result<Outcome, Halt> + '_ {
        move |raw| {
            let Some(columns) = raw.columns else {
                return Ok(Outcome { rows: None, affected: raw.affected, insert_id: None });
            };
            for (index, (name, _)) in columns.iter().enumerate() {
                if columns[..index].iter().any(|(earlier, _)| earlier == name) {
                    return Err(Halt::Unusable(format!(
                        "two columns of the result are called `{name}`: give one of them another name with `as`"
                    )));
                }
            }
            let row = |cells: Vec<Option<String>>| {
                let pairs = columns.iter().zip(cells).map(|((name, oid), cell)| {
                    let value = cell.map_or(Value::Null, |text| typed::read(*oid, &text, arrays));
                    (name.clone(), value)
                });
                Value::Map(pairs.collect::<Map>())
            };
            let rows = raw.rows.into_iter().map(row).collect();
            Ok(Outcome { rows: Some(rows), affected: raw.affected, insert_id: None })
        }
    }
}

fn columns(body: &RowDescriptionBody) -> io::Result<Vec<(String, Oid)>> {
    body.fields().map(|field| Ok((field.name().to_owned(), field.type_oid()))).collect()
}

fn parameter_types(body: &ParameterDescriptionBody) -> io::Result<Vec<Oid>> {
    body.parameters().collect()
}

fn cells(body: &DataRowBody) -> io::Result<Vec<Option<String>>> {
    let buffer = body.buffer();
    let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&buffer[range]).into_owned();
    body.ranges().map(|range| Ok(range.map(text))).collect()
}

/// `INSERT 0 3` changed three rows, `SELECT 3` none.
fn affected(tag: &str) -> u64 {
    let mut words = tag.split(' ');
    match words.next() {
        Some("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY") => {
            words.next_back().and_then(|count| count.parse().ok()).unwrap_or_default()
        }
        _ => 0,
    }
}

fn server_error(body: &ErrorResponseBody) -> Box<ServerError> {
    let mut error = Box::<ServerError>::default();
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => error.code = Code::Text(text),
            b'M' => error.message = text,
            b'D' => error.detail = Some(text),
            b'H' => error.hint = Some(text),
            b'n' => error.constraint = Some(text),
            b't' => error.table = Some(text),
            b'c' => error.column = Some(text),
            b'P' => error.position = text.parse().ok(),
            _ => {}
        }
    }
    error
}

/// The type that a value has by itself.
fn own_type(value: &Value) -> Oid {
    match value {
        Value::Bool(_) => 16,
        Value::Number(number) if number.as_i64().is_some() && number.is_written_as_integer() => 20,
        Value::Number(_) => 1700,
        Value::Null | Value::Text(_) => 25,
        Value::List(_) => 1009,
        Value::Map(_) => 3802,
    }
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an answer to a question that was not asked")
}
