//! `seam completions SHELL`: completions for a shell, made from the same table as the help.

use crate::commands::{Act, command};
use crate::screen::{Colour, Screen};
use clap::Args;
use clap_complete::Shell;
use seam_judge::Exit;

/// Write completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam completions bash > ~/.local/share/bash-completion/completions/seam
  seam completions zsh > \"${fpath[1]}/_seam\"
  seam completions fish > ~/.config/fish/completions/seam.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Act for Completions {
    fn act(self, screen: &mut Screen) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(Colour::Never), "seam", &mut script);
        screen.say(&String::from_utf8_lossy(&script));
        Exit::Passed
    }
}
