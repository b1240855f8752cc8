//! What stands around stubs that serve without a test: chance, the clock, the environment, files.

use jiff::Timestamp;
use seam_expr::{Chance, Names};
use seam_value::Value;

/// A variable of the environment by its name.
pub type FindVariable = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;
/// The bytes of a file by its path as written; the error says in one line why it can't be read.
pub type FindFile = Box<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// The world of stubs that belong to no test.
pub struct Surroundings {
    /// All that is drawn.
    pub chance: Chance,
    /// What the time is.
    pub now: fn() -> Timestamp,
    /// The environment, as far as stubs may see it.
    pub env: FindVariable,
    /// The files that stubs may read.
    pub file: FindFile,
    /// This machine's name.
    pub hostname: String,
}

impl Names for Surroundings {
    fn get(&self, _: &str) -> Option<Value> {
        None
    }

    fn component(&self, _: &str) -> Option<String> {
        None
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }

    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        (self.file)(path)
    }
}

#[cfg(test)]
pub(crate) fn testing() -> Surroundings {
    Surroundings {
        chance: Chance::new(7, "stubs"),
        now: || "2026-03-04T05:06:07Z".parse().unwrap(),
        env: Box::new(|name| (name == "STAGE").then(|| "local".to_owned())),
        file: Box::new(|path| match path {
            "answer.json" => Ok(br#"{"costs":"$5"}"#.to_vec()),
            "picture.png" => Ok(vec![0x89, b'P', 0xff]),
            _ => Err("there is no such file".to_owned()),
        }),
        hostname: "here".to_owned(),
    }
}
