//! `seam completions SHELL`: completions for a shell, made from the same table as the help.

use crate::commands::{Act, command};
use clap::Args;
use clap_complete::Shell;
use seam_judge::Exit;

/// Write completions for a shell
///
/// For example `seam completions bash > ~/.local/share/bash-completion/completions/seam`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Act for Completions {
    fn act(self) -> Exit {
        clap_complete::generate(self.shell, &mut command(), "seam", &mut std::io::stdout());
        Exit::Passed
    }
}
